// The whole story ended and begun again, as by Ctrl-C and a second `make run`: a lab and a server of its own, whose state
// is kept. Asked of the hypervisors: what ran runs again, what was stopped stays so, nothing is there twice.

import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Lab } from '../story/lab';
import { Panel } from '../story/panel';
import { expect, needsRealNodes, test, window } from '../story/test';

// A lab has a name and a net of its own, the one that is cut short too: what it left would be in the other's way.
const again = { name: 'hgr', index: Number(process.env.LAB_INDEX ?? 252) + 1, port: Number(process.env.PORT ?? 3252) + 1 };
const cut = { name: 'hgc', index: again.index + 1, port: again.port + 1 };
type Place = typeof again;

/** `lab/run`, or all of `make run`, whose group of processes is its own, as a terminal would have it. */
function run({ name, index, port }: Place, state: string, out: StdioOptions, make = false): ChildProcess {
  const options = ['--name', name, '--index', String(index), '--dir', join(state, 'lab')];
  const env: NodeJS.ProcessEnv = { ...process.env, LAB: 'real', PORT: String(port), STATE: state };
  // These tests are run by a make themselves, whose words are not for this one.
  for (const word of ['MAKEFLAGS', 'MAKELEVEL', 'MFLAGS']) delete env[word];
  const started = { cwd: resolve(__dirname, '../..'), env, stdio: out, detached: true };
  return make ? spawn('make', ['run', `RUN=${options.join(' ')}`], started) : spawn('lab/run', options, started);
}

/** Tells all of them to stop, as Ctrl-C does, and waits for the first of them. */
async function stopped(child: ChildProcess): Promise<number | string | null> {
  if (child.exitCode !== null) return child.exitCode;
  const ended = new Promise<number | string | null>((done) => child.once('exit', (code, signal) => done(signal ?? code)));
  process.kill(-(child.pid ?? 0), 'SIGINT');
  return ended;
}

function nothingLeft({ name }: Place, state: string): void {
  const { stdout } = spawnSync(resolve(__dirname, '../../lab/left'), [name, state], { encoding: 'utf8' });
  expect(stdout, 'what is left behind').toBe('');
}

class Story {
  private constructor(
    readonly lab: Lab,
    private readonly child: ChildProcess,
    private readonly log: string,
    private readonly state: string,
  ) {}

  /** Until it has announced itself; and the seconds that it took. */
  static async begin(state: string): Promise<{ story: Story; seconds: number }> {
    const log = join(state, `log-${Date.now()}`);
    const out = openSync(log, 'w');
    const begun = Date.now();
    const child = run(again, state, ['ignore', out, out], true);
    const file = join(state, 'lab.json');
    const told = () => {
      if (child.exitCode !== null) throw new Error(`it ended:\n${readFileSync(log, 'utf8')}`);
      return existsSync(file) && statSync(file).mtimeMs > begun && readFileSync(log, 'utf8').includes('Hostgrid is ready');
    };
    await expect.poll(told, { timeout: 300_000, intervals: [250] }).toBe(true);
    return { story: new Story(new Lab(file), child, log, state), seconds: (Date.now() - begun) / 1000 };
  }

  /** All that it printed. */
  said(): string {
    return readFileSync(this.log, 'utf8');
  }

  /** Ends it as Ctrl-C would. */
  async end(): Promise<void> {
    // That of make, which waits for what it runs.
    expect(await stopped(this.child), this.said()).toBe('SIGINT');
    nothingLeft(again, this.state);
  }

  /** The VMs that run, by id, and where. */
  running(): Record<string, string> {
    const ids = new Set(this.lab.vms.map((vm) => vm.id));
    const on = (node: string) => this.lab.virsh(node, 'list', '--uuid').split('\n').filter((id) => ids.has(id));
    return Object.fromEntries(this.lab.nodes.flatMap(({ name }) => on(name).map((id) => [id, name])));
  }
}

test('told to stop while its nodes start, it leaves nothing', async ({ lab }) => {
  needsRealNodes(lab);
  const state = mkdtempSync('/var/tmp/hostgrid-cut.');
  for (const after of [600, 3_000]) {
    const child = run(cut, state, 'ignore');
    await new Promise((done) => setTimeout(done, after));
    expect(await stopped(child), `after ${after} ms`).toBe(130);
    nothingLeft(cut, state);
  }
  // Kept where it failed: what still runs would lose what lies beneath it.
  rmSync(state, { recursive: true, force: true });
});

test('a second start has the same people, and the same VMs run again', async ({ lab, browser, guard, allow }) => {
  needsRealNodes(lab);
  test.setTimeout(600_000);
  // A page's stream breaks with its server.
  allow(/Failed to load resource|ERR_|network error|EventSource/i);
  const state = mkdtempSync('/var/tmp/hostgrid-restart.');
  let going: Story | undefined;
  try {
    const first = await Story.begin(state);
    going = first.story;
    const { users, vms } = going.lab;
    const [shop, catalogue] = [going.lab.vm('shop'), going.lab.vm('catalogue')];
    const ada = new Panel(await window(browser, guard, going.lab.url), true);
    await ada.signIn(going.lab.user(shop.owner));
    // By its owner's will: it must not run again.
    await ada.order(shop.id, 'Stop');
    const before = going.running();
    // A second one beside it is told so, and takes nothing from it.
    const beside = run(again, state, 'ignore');
    expect(await new Promise((done) => beside.once('exit', done))).toBe(1);
    expect(going.running()).toEqual(before);
    expect(Object.keys(before)).toHaveLength(vms.length - 1);
    await going.end();

    const second = await Story.begin(state);
    going = second.story;
    console.log(`ready after ${first.seconds.toFixed(1)} s, the second time after ${second.seconds.toFixed(1)} s`);
    // A slow machine, on which even the first one takes long, has as much of that.
    expect(second.seconds, 'a second start is quick').toBeLessThan(Math.max(30, first.seconds * 0.7));
    for (const { email, password } of users) expect(going.said(), 'the sign-ins are printed').toMatch(new RegExp(`${email} +${password}`));
    expect(going.said()).toContain(going.lab.url);
    expect(going.lab.users, 'the same people, with the same passwords').toEqual(users);
    expect(going.lab.vms.map((vm) => vm.id).sort(), 'nothing is seeded twice').toEqual(vms.map((vm) => vm.id).sort());
    await expect.poll(() => going?.running(), { timeout: 60_000 }).toEqual(before);
    for (const { name } of going.lab.nodes) {
      const all = going.lab.virsh(name, 'list', '--all', '--name').split('\n').filter(Boolean);
      expect(new Set(all).size, `${name} has nothing twice: ${all}`).toBe(all.length);
    }
    // The session is kept as well.
    await ada.open(`/vms/${shop.id}`);
    await expect(ada.button('Start')).toBeVisible();
    await ada.open(`/vms/${catalogue.id}`);
    await expect(ada.button('Stop')).toBeVisible();
    await ada.page.context().close();
  } finally {
    await going?.end();
    rmSync(state, { recursive: true, force: true });
  }
});
