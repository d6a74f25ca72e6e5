// Where there can be no nodes: an unprivileged container. The same command tells the same story on a simulated grid, and
// says so.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Lab } from '../story/lab';
import { Panel } from '../story/panel';
import { growths } from '../story/seeded';
import { expect, test, window } from '../story/test';

const port = Number(process.env.PORT ?? 3252) + 3;

test('without the right to make nodes the story is told on a simulated grid', async ({ browser, guard }) => {
  const state = mkdtempSync('/var/tmp/hostgrid-simulated.');
  const log = join(state, 'log');
  const out = openSync(log, 'w');
  const said = () => readFileSync(log, 'utf8');
  // Root of a user namespace has no loop devices, as root of such a container.
  const child = spawn('unshare', ['--user', '--map-root-user', resolve(__dirname, '../../lab/run'), '--dir', join(state, 'lab')], {
    env: { ...process.env, LAB: 'real', PORT: String(port), STATE: state },
    stdio: ['ignore', out, out],
  });
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  try {
    const file = join(state, 'simulated', 'lab.json');
    const ready = () => {
      if (child.exitCode !== null) throw new Error(`it ended:\n${said()}`);
      return existsSync(file) && said().includes('Hostgrid is ready');
    };
    await expect.poll(ready, { timeout: 60_000, intervals: [250] }).toBe(true);
    expect(said()).toMatch(/no libvirt nodes on this machine: .+\n.*telling the story on the simulated grid/);
    const lab = new Lab(file);
    expect(lab.simulated).toBe(true);
    const as = async (email: string) => {
      const panel = new Panel(await window(browser, guard, lab.url), true);
      await panel.signIn(lab.user(email));
      await expect(panel.page.locator('[data-simulated]'), 'every page says so').toBeVisible();
      return panel;
    };
    for (const { name, plan, ...growth } of growths) {
      const { id, owner, size } = lab.vm(name);
      const panel = await as(owner);
      const asked = { ...size, vcpus: size.vcpus + growth.vcpus, memory_mib: size.memory_mib + growth.memory_mib };
      expect(await panel.preview(id, asked), await panel.said()).toBe(plan);
      if (plan !== 'refused') {
        await panel.agree();
        expect((await panel.outcome()).word, await panel.said()).toBe('Succeeded');
        expect(await panel.sizeOf(id)).toEqual(asked);
      }
      await panel.page.context().close();
    }
  } finally {
    child.kill('SIGTERM');
    await ended;
    rmSync(state, { recursive: true, force: true });
  }
});
