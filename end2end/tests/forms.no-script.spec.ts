// The same forms with JavaScript off: they are plain HTML that a browser posts by itself.

import { fillMemory } from '../story/room';
import { expect, test } from '../story/test';

test('without scripts a wrong password is told, and the right one opens the VMs', async ({ lab, visitor }) => {
  const owner = lab.user(lab.vm('mail').owner);
  await visitor.open('/login');
  await visitor.fillSignIn(owner.email, 'wrong');
  await expect(visitor.problem).toContainText(/password/i);
  await expect(visitor.field('Email')).toHaveValue(owner.email);
  await visitor.fillSignIn(owner.email, owner.password);
  await expect(visitor.page).toHaveURL(/\/vms$/);
  await expect(visitor.page.locator('main')).toContainText('mail');
  await visitor.button('Sign out').click();
  await expect(visitor.page).toHaveURL(/\/login/);
});

test('without scripts a VM is resized: preview, agreement, outcome', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const larger = { ...size, memory_mib: size.memory_mib + 64 };
  expect(await owner.preview(mail.id, larger)).toBe('in-place-live');
  await owner.agree();
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  expect(await owner.sizeOf(mail.id)).toEqual(larger);
  await owner.resize(mail.id, size);
});

test('without scripts a bad size is told beside its field and kept', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  await owner.open(`/vms/${mail.id}/resize?vcpus=two&memory_mib=256&disk_gib=1`);
  await expect(owner.problem).toBeVisible();
  await expect(owner.field('vCPUs')).toHaveValue('two');
});

test('without scripts a refusal says why', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  expect(await owner.preview(mail.id, { vcpus: 20 })).toBe('refused');
  await expect(owner.plan).toContainText('20');
});

test('without scripts a name that is none comes back with its message and what was typed', async ({ as, lab }) => {
  const owner = await as(lab.vm('mail').owner);
  await owner.open('/vms/new');
  await owner.field('Name').fill('Two Words');
  await owner.page.getByLabel('Offer').selectOption({ index: 1 });
  const offer = await owner.page.getByLabel('Offer').inputValue();
  await owner.button('Deploy').click();
  await expect(owner.problem).toBeVisible();
  await expect(owner.field('Name')).toHaveValue('Two Words');
  await expect(owner.page.getByLabel('Offer')).toHaveValue(offer);
});

test('without scripts a VM is stopped and started', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  await owner.order(mail.id, 'Stop');
  await owner.open(`/vms/${mail.id}`);
  await expect(owner.page.locator('main')).toContainText('Stopped');
  await owner.order(mail.id, 'Start');
});

test('without scripts a VM is deployed and deleted', async ({ as, lab }) => {
  const owner = await as(lab.vm('mail').owner);
  const id = await owner.deploy('plain', 'tiny-container');
  await owner.open(`/vms/${id}`);
  await expect(owner.page.locator('main')).toContainText('Running');
  await owner.remove(id);
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await owner.open('/vms');
  await expect(owner.page.locator(`a[href*="${id}"]`)).toHaveCount(0);
});

test("without scripts an admin changes a node's settings, and lets it take no new VM for a while", async ({ admin, lab }) => {
  const node = lab.nodes[0]?.name ?? '';
  const giveBack = await fillMemory(admin, node);
  await giveBack();
  await admin.open(`/admin/nodes/${node}`);
  await admin.field('Reserve memory (MiB)').fill('-1');
  await admin.button('Save').click();
  await expect(admin.problem).toBeVisible();
  await expect(admin.field('Reserve memory (MiB)')).toHaveValue('-1');

  await admin.open(`/admin/nodes/${node}`);
  await admin.button('Cordon').click();
  await expect(admin.page.locator('h1')).toContainText(/cordoned/i);
  await admin.button('Uncordon').click();
  await expect(admin.page.locator('h1')).toContainText(/ready/i);
});

test('without scripts what if is answered by the server', async ({ admin, lab }) => {
  const node = lab.nodes[0]?.name ?? '';
  await admin.open('/admin/what-if');
  await admin.field('Node or failure domain').selectOption(`node ${node}`);
  await admin.button('Show').click();
  await expect(admin.page.locator('[data-what-if]')).toContainText(`Node ${node} is gone`);
});
