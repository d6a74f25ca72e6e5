// A node that dies for good, on real nodes: its VMs start nowhere until an admin has said that it is cut off; then one is
// rebuilt on another node, and the copy that the dead node still has never runs again by itself.

import { heard } from '../story/guest';
import type { Lab } from '../story/lab';
import type { Panel } from '../story/panel';
import { promisesKept } from '../story/promises';
import { doubleMemory } from '../story/room';
import { ready } from '../story/scene';
import { expect, needsRealNodes, test } from '../story/test';

for (const [image, owner] of [['tiny-container', 'catalogue'], ['tiny', 'shop']] as const) {
  test(`${image}: its node dies, is fenced, and comes back`, async ({ admin, as, lab }) => {
    needsRealNodes(lab);
    test.setTimeout(600_000);
    const customer = await as(lab.vm(owner).owner);
    const name = `doomed-${image}`;
    const vm = await customer.deploy(name, image);
    const node = lab.home(vm);
    const others = lab.others(node).map((other) => other.name);
    await expect.poll(() => heard(lab, vm), { timeout: 60_000 }).toBeTruthy();
    const { data } = heard(lab, vm)!;

    // Somewhere it must fit.
    const giveBack = await doubleMemory(admin, others[0]);
    lab.command('kill', node);
    let alive = false;
    try {
      await fence(admin, node);
      expect(await rebuild(customer, vm, name)).toBe('Succeeded');
      await expect.poll(() => runningOn(lab, vm, others), { timeout: 30_000 }).toHaveLength(1);
      const [home] = runningOn(lab, vm, others);
      await expect.poll(() => heard(lab, vm, home), { message: 'it has booted', timeout: 90_000 }).toBeTruthy();
      expect(heard(lab, vm, home)?.data, 'it begins anew').not.toBe(data);

      // It answers again, with the old copy; nothing is done there, and the old copy stays off.
      lab.command('start', node);
      alive = true;
      await expect(() => lab.virsh(node, 'domstate', vm)).toPass({ timeout: 60_000 });
      for (let look = 0; look < 10; look++) {
        expect(lab.virsh(node, 'domstate', vm)).toBe('shut off');
        await admin.page.waitForTimeout(1000);
      }
      await admin.open(`/admin/nodes/${node}/fence`);
      await admin.button('It is back: take this back').click();
      await expect(admin.page.locator('[data-fence]')).toBeVisible({ timeout: 15_000 });
      // Its other VMs, which were not rebuilt, run again.
      const rest = lab.vms.filter((other) => lab.virsh(node, 'list', '--all', '--uuid').includes(other.id));
      for (const other of rest) {
        await expect.poll(() => lab.virsh(node, 'domstate', other.id), { timeout: 90_000 }).toBe('running');
      }
      expect(lab.virsh(node, 'domstate', vm)).toBe('shut off');
      expect(lab.poolFiles(node).some((file) => file.includes(vm)), 'its old data').toBe(true);
      await admin.open('/admin/drift');
      const told = admin.page.locator('tr[data-drift=left-disk]', { hasText: name });
      await expect(told).toContainText('it was rebuilt there when this node was fenced', { timeout: 90_000 });
      await promisesKept(lab);
    } finally {
      if (!alive) lab.command('start', node);
      await giveBack();
    }
    await admin.open(`/admin/nodes/${node}`);
    await admin.button('Uncordon').click();
    await ready(admin, node);
    await customer.remove(vm);
    expect((await customer.outcome()).word, await customer.said()).toBe('Succeeded');
    // What an admin does with old data that nobody needs.
    lab.virsh(node, 'undefine', vm);
    lab.inside(node, 'sh', '-c', `rm -rf /var/lib/hostgrid/pool/${vm}.* /var/lib/hostgrid/pool/seeds/${vm}`);
  });
}

/** Once the node's hypervisor is silent. */
async function fence(admin: Panel, node: string): Promise<void> {
  await expect(async () => {
    await admin.open(`/admin/nodes/${node}/fence`);
    await expect(admin.button('It is cut off: fence it')).toBeEnabled({ timeout: 500 });
  }).toPass({ timeout: 90_000, intervals: [1000] });
  await admin.field("Type the node's name: it is powered off or cut off").fill(node);
  await admin.button('It is cut off: fence it').click();
  await expect(admin.page.locator('[data-fenced]')).toBeVisible({ timeout: 15_000 });
}

/** By its own page; how it ended. */
async function rebuild(customer: Panel, vm: string, name: string): Promise<string> {
  await customer.open(`/vms/${vm}`);
  await customer.page.getByRole('link', { name: 'Rebuild it without its data' }).click();
  await customer.page.waitForURL(/\/rebuild/);
  await customer.alive();
  await customer.field("Type the VM's name").fill(name);
  await customer.button('Rebuild it').click();
  await customer.operationOpened();
  return (await customer.outcome(180)).word;
}

/** The nodes among these on which it runs. */
const runningOn = (lab: Lab, vm: string, nodes: string[]) =>
  nodes.filter((node) => lab.virsh(node, 'list', '--uuid').includes(vm));
