// Other VMs move away so that one can grow: real ones, live, asked of the hypervisors.

import { heard, heartbeat } from '../story/guest';
import { found } from '../story/lab';
import { leaveMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';
import { verifyGuest } from '../story/verify';

test('a VM grows where it is once another has moved away, live, without a restart', async ({ admin, as, lab, watch }) => {
  needsRealNodes(lab);
  const shop = lab.vm('shop');
  const home = lab.home(shop.id);
  const other = found(lab.others(home)[0], 'a second node').name;
  const owner = await as(shop.owner);
  const size = await owner.sizeOf(shop.id);
  const larger = { ...size, memory_mib: size.memory_mib + 384 };
  const neighbours = lab.vms.filter((vm) => vm.id !== shop.id && lab.whereabouts(vm.id).includes(home));
  const boots = new Map(neighbours.map((vm) => [vm.id, heartbeat(lab, vm.id).boot_id]));
  const before = watch(shop.id);
  // Not enough here, nor there for all of it; there is enough for a neighbour.
  const giveBackHome = await leaveMemory(admin, home, 200);
  const giveBackOther = await leaveMemory(admin, other, 400);
  try {
    expect(await owner.preview(shop.id, larger), await owner.said()).toBe('make-room');
    for (const vm of neighbours) {
      await expect(owner.plan, 'whose VMs move is not the customer’s to know').not.toContainText(vm.name);
    }
    const shown = await admin.previewLinked(shop.id, larger);
    expect(shown, await admin.said()).toBe('make-room');
    await expect(admin.plan, 'an admin sees which').toContainText(new RegExp(neighbours.map((vm) => vm.name).join('|')));

    await owner.agree();
    const outcome = await owner.outcome();
    expect(outcome.word, await owner.said()).toBe('Succeeded');
    expect(lab.home(shop.id)).toBe(home);
    await verifyGuest(lab, before, larger, false);
    const moved = neighbours.filter((vm) => lab.home(vm.id) === other);
    expect(moved, 'who moved away').toHaveLength(1);
    for (const vm of neighbours) expect(heard(lab, vm.id)?.boot_id).toBe(boots.get(vm.id));
  } finally {
    await giveBackHome();
    await giveBackOther();
  }
});

test('an admin evens nodes out by the moves that were reviewed; then there is nothing to do', async ({ admin, lab }) => {
  needsRealNodes(lab);
  await admin.open('/admin/rebalance');
  const rows = admin.page.locator('tr[data-move]');
  const planned = await rows.evaluateAll((found) => found.map((row) => (row as HTMLElement).dataset.move ?? ''));
  expect(planned, await admin.said()).not.toEqual([]);
  const vms = planned.map((name) => lab.vm(name));
  const before = vms.map((vm) => ({ vm, home: lab.home(vm.id), boot_id: heartbeat(lab, vm.id).boot_id }));
  await admin.button('Move them').click();
  await expect(admin.page.getByRole('status')).toContainText('Succeeded', { timeout: 120_000 });
  for (const { vm, home, boot_id } of before) {
    expect(lab.home(vm.id), vm.name).not.toBe(home);
    expect(heard(lab, vm.id)?.boot_id).toBe(boot_id);
  }
  await admin.open('/admin/rebalance');
  await expect(rows).toHaveCount(0);
  await expect(admin.button('Move them')).toHaveCount(0);
});
