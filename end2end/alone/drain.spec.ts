import { heard, heartbeat } from '../story/guest';
import { expect, needsRealNodes, test } from '../story/test';

test('an admin drains a node, and its VMs run on elsewhere without a restart', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const { id } = lab.vm('shop');
  const source = lab.home(id);
  const before = heartbeat(lab, id);
  const there = lab.vms.filter((vm) => lab.whereabouts(vm.id).includes(source));
  // A dashboard that is open meanwhile shows it by itself.
  const dashboard = await as(lab.admin.email);
  await dashboard.open('/admin');
  const count = (node: string) =>
    dashboard.page.locator('tr').filter({ has: dashboard.page.locator(`a[href="/admin/nodes/${node}"]`) }).locator('[data-label=VMs]');
  await expect(count(source)).toHaveText(String(there.length));
  await admin.open(`/admin/nodes/${source}`);
  await admin.page.getByRole('link', { name: /^Drain/ }).click();
  await expect(admin.page).toHaveURL(/\/drain$/);
  await admin.alive();
  for (const vm of there) await expect(admin.page.locator(`tr[data-move="${vm.name}"]`)).toContainText('live');
  try {
    await admin.button('Drain').click();
    await expect(admin.page.getByRole('status')).toContainText('Succeeded', { timeout: 180_000 });
    for (const vm of there) {
      expect(lab.home(vm.id)).not.toBe(source);
      await expect(admin.page.getByRole('link', { name: vm.name, exact: true })).toBeVisible();
    }
    await expect(count(source)).toHaveText('0');
    for (const { name } of lab.others(source)) await expect(count(name)).not.toHaveText('0');
    expect(heard(lab, id)).toMatchObject({ boot_id: before.boot_id, data: before.data, mac: before.mac });
    for (const vm of there) expect(lab.poolFiles(source).filter((file) => file.includes(vm.id))).toEqual([]);
  } finally {
    await admin.open(`/admin/nodes/${source}`);
    await admin.button('Stop draining').click();
    await expect(admin.button('Cordon')).toBeVisible();
  }
});

test('a drain says which VMs it leaves, and why', async ({ admin, lab }) => {
  needsRealNodes(lab);
  const { id, name } = lab.vm('catalogue');
  const source = lab.home(id);
  await admin.open(`/admin/nodes/${source}/drain`);
  await expect(admin.page.locator(`li[data-stays="${name}"]`)).toContainText(/shut down|consent/);
});

test("a container's owner agrees to a restart, and the drain moves it cold in that time and no sooner", async ({
  admin,
  as,
  lab,
}) => {
  needsRealNodes(lab);
  const { id, name, owner: email } = lab.vm('catalogue');
  const source = lab.home(id);
  const before = heartbeat(lab, id);
  const owner = await as(email);
  await admin.open(`/admin/nodes/${source}/drain`);
  try {
    await admin.button('Drain').click();
    const line = admin.page.locator(`tr[data-consent="${name}"]`);
    await expect(line).toContainText('Not yet', { timeout: 60_000 });

    await owner.open(`/vms/${id}`);
    const asked = owner.page.locator('[data-move-asked]');
    await expect(asked).toContainText('is to be emptied');
    await expect(asked).toContainText(/Expected downtime: about \d/);
    expect(lab.home(id), 'nothing happens without consent').toBe(source);
    await asked.getByRole('link', { name: 'Agree to a restart' }).click();
    await expect(owner.page).toHaveURL(/\/move$/);
    await owner.alive();
    await owner.button('Move it now').click();
    await expect(owner.page).toHaveURL(new RegExp(`/vms/${id}$`));
    // It may have begun already: then the VM's page has the move itself.
    const begun = owner.page.locator('main a[href^="/operations/"]');
    await expect(owner.page.locator('[data-move-agreed]').or(begun).first()).toBeVisible();
    await expect(line).toContainText(email);
    await expect.poll(() => lab.whereabouts(id).includes(source), { timeout: 120_000 }).toBe(false);
    await expect(asked).toHaveCount(0);
    await expect.poll(() => heard(lab, id)?.boot_id, { timeout: 60_000 }).toBeTruthy();
    const after = heartbeat(lab, id);
    expect(after).toMatchObject({ data: before.data, mac: before.mac, address: before.address });
    expect(after.boot_id + after.seq, 'it was started anew').not.toBe(before.boot_id + before.seq);
    expect(lab.poolFiles(source).filter((file) => file.includes(id))).toEqual([]);
  } finally {
    await admin.open(`/admin/nodes/${source}/drain`);
    if (await admin.button('Cancel').isVisible()) await admin.button('Cancel').click();
    await admin.open(`/admin/nodes/${source}`);
    await admin.button('Stop draining').click();
    await expect(admin.button('Cordon')).toBeVisible();
  }
});
