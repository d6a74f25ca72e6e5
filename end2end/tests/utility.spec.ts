import { readFileSync, readlinkSync } from 'node:fs';
import { found } from '../story/lab';
import { expect, needsRealNodes, test } from '../story/test';

test('the set of a utility VM that is destroyed goes stale, and it is brought back', async ({ admin, lab }) => {
  needsRealNodes(lab);
  for (const kind of ['qemu', 'lxc']) {
    const node = lab.nodes.filter((node) => node.name.startsWith(kind)).at(-1)?.name as string;
    const domains = lab.virsh(node, 'list', '--name').split('\n').map((line) => line.trim());
    const utility = domains.find((name) => name.includes('utility')) as string;
    expect(utility, `virsh list shows the utility VM among ${domains.join(', ')}`).toBeTruthy();

    const before = lab.virsh(node, 'domid', utility);
    const set = admin.page.locator('[data-set=utility]').first();
    await admin.open(`/admin/nodes/${node}`);
    await expect(set).toHaveAttribute('data-stale', 'false');
    // It is a machine or container of its own: neither this machine nor the node that it runs on.
    const said = await admin.page.locator('main').innerText();
    const [space] = found(/pid:\[\d+\]/.exec(said), 'its process namespace');
    const [boot] = found(/(?<=Boot id\s+(?:–\s+)?)[0-9a-f-]{36}/.exec(said), 'its boot id');
    expect(boot).not.toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    expect([readlinkSync('/proc/self/ns/pid'), lab.inside(node, 'readlink', '/proc/self/ns/pid')]).not.toContain(space);
    lab.virsh(node, 'destroy', utility);
    // It is back within seconds, sooner than an open page hears of it; a container within one. So each look is a new one.
    if (kind === 'qemu') {
      const goesStale = async () => {
        const html = await (await admin.page.request.get(`/admin/nodes/${node}`)).text();
        return /data-set="utility"[^>]*data-stale="true"/.test(html) && /its utility VM doesn.{1,6}t run/.test(html);
      };
      await expect.poll(goesStale, { message: 'its set goes stale', timeout: 15_000, intervals: [100] }).toBe(true);
    }
    await expect
      .poll(() => lab.virsh(node, 'list', '--name', '--state-running'), { timeout: 90_000, intervals: [500] })
      .toContain(utility);
    expect(lab.virsh(node, 'domid', utility), 'it was started afresh').not.toBe(before);
    await expect(async () => {
      await admin.open(`/admin/nodes/${node}`);
      await expect(set).toHaveAttribute('data-stale', 'false', { timeout: 500 });
    }, 'its set is fresh').toPass({ timeout: 90_000, intervals: [1000] });
  }
});
