import { expect, needsRealNodes, test } from '../story/test';

test('a utility VM that is destroyed makes its set stale, and the manager brings it back', async ({ admin, lab }) => {
  needsRealNodes(lab);
  for (const kind of ['qemu', 'lxc']) {
    const node = lab.nodes.filter((node) => node.name.startsWith(kind)).at(-1)?.name as string;
    const domains = lab.virsh(node, 'list', '--name').split('\n').map((line) => line.trim());
    const utility = domains.find((name) => name.includes('utility')) as string;
    expect(utility, `virsh list shows the utility VM among ${domains.join(', ')}`).toBeTruthy();

    lab.virsh(node, 'destroy', utility);
    const set = admin.page.locator('[data-set=utility]').first();
    await expect(async () => {
      await admin.open(`/admin/nodes/${node}`);
      await expect(set).toHaveAttribute('data-stale', 'true', { timeout: 500 });
    }, 'its set goes stale').toPass({ timeout: 60_000, intervals: [500] });
    await expect(admin.page.locator('main')).toContainText(/utility/i);
    await expect(async () => {
      await admin.open(`/admin/nodes/${node}`);
      await expect(set).toHaveAttribute('data-stale', 'false', { timeout: 500 });
    }, 'it comes back').toPass({ timeout: 90_000, intervals: [1000] });
    expect(lab.virsh(node, 'domstate', utility)).toBe('running');
  }
});
