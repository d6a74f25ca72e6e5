import { found } from '../story/lab';
import { fillVcpus } from '../story/room';
import { expect, test } from '../story/test';

/** The first number in a text, without its separators. */
const numberIn = (text: string) => Number(found(/\d[\d,. ]*/.exec(text), `a number in ${text}`)[0].replaceAll(/[^\d]/g, ''));

test('what fits nowhere is refused with the resource, what was asked and the largest that fits', async ({ as, lab }) => {
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  expect(await owner.preview(shop.id, { vcpus: 20 })).toBe('refused');
  await expect(owner.plan).toContainText('vCPUs');
  await expect(owner.plan).toContainText('20');
  await expect(owner.plan).toContainText(/largest/i);
  await expect(owner.button('Resize')).toHaveCount(0);
});

test('the largest size that a refusal names gets a plan, and one more does not', async ({ as, lab }) => {
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  const size = await owner.sizeOf(shop.id);
  expect(await owner.preview(shop.id, { vcpus: 20 })).toBe('refused');
  const said = await owner.plan.innerText();
  const largest = numberIn(found(/largest[^.]*?(\d[\d ]*)\s*vCPU/is.exec(said), `the largest in: ${said}`)[1] as string);
  expect(largest).toBeGreaterThanOrEqual(size.vcpus);
  expect(largest).toBeLessThan(20);
  if (largest > size.vcpus) expect(await owner.previewLinked(shop.id, { ...size, vcpus: largest })).not.toBe('refused');
  expect(await owner.previewLinked(shop.id, { ...size, vcpus: largest + 1 })).toBe('refused');
});

test('the admin also sees every node of the kind, with what is free and what is reserved', async ({ admin, lab }) => {
  const shop = lab.vm('shop');
  expect(await admin.preview(shop.id, { vcpus: 20 })).toBe('refused');
  const home = lab.node(shop.node);
  for (const node of [home, ...lab.others(home.name)]) await expect(admin.plan).toContainText(node.name);
  await expect(admin.plan).toContainText(/free|available/i);
  await expect(admin.plan).toContainText(/reserved/i);
});

test('disks never shrink, and the form says so', async ({ as, lab }) => {
  const archive = lab.vm('archive');
  const owner = await as(archive.owner);
  await owner.open(`/vms/${archive.id}/resize`);
  await expect(owner.page.locator('main')).toContainText('Disks never shrink');
  const size = await owner.sizeOf(archive.id);
  await owner.open(`/vms/${archive.id}/resize?vcpus=${size.vcpus}&memory_mib=${size.memory_mib}&disk_gib=0`);
  await expect(owner.problem).toBeVisible();
  await expect(owner.button('Resize')).toHaveCount(0);
});

test('a resize beyond the quota says what is left of it', async ({ as, lab }) => {
  const render = lab.vm('render');
  const owner = await as(render.owner);
  expect(await owner.preview(render.id, { memory_mib: 8192 })).toBe('refused');
  await expect(owner.plan).toContainText(/memory/i);
  await expect(owner.plan).toContainText(/quota|largest/i);
});

test('asking for the size that it has already changes nothing and says so', async ({ as, lab }) => {
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  await owner.open(`/vms/${shop.id}/resize`);
  await owner.button('Preview').click();
  await expect(owner.page.locator('main')).toContainText(/already/i);
  await expect(owner.button('Resize')).toHaveCount(0);
});

test('the admin sees counted reasons and what a node would have to give; the owner sees no node', async ({ admin, as, lab }) => {
  const shop = lab.vm('shop');
  expect(await admin.preview(shop.id, { vcpus: 20 })).toBe('refused');
  await expect(admin.plan).toContainText(/\d+ nodes?: another hypervisor kind/);
  await expect(admin.plan).toContainText(/overhead/);
  await expect(admin.plan).toContainText(/grows by/);
  const owner = await as(shop.owner);
  expect(await owner.preview(shop.id, { vcpus: 20 })).toBe('refused');
  for (const node of lab.nodes) await expect(owner.page.locator('body')).not.toContainText(node.name);
});

test('a plan that no longer holds is not begun: nothing starts, and the one that holds now is shown', async ({ admin, as, lab, allow }) => {
  // A page that hears of nothing still shows what was.
  allow(/Failed to load resource|ERR_|EventSource/i);
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  const before = await owner.operationsOf(shop.id);
  const home = lab.simulated ? shop.node : lab.home(shop.id);
  const size = await owner.sizeOf(shop.id);
  await owner.page.route('**/events*', (route) => route.abort());
  let giveBack = async () => {};
  try {
    expect(await owner.preview(shop.id, { vcpus: size.vcpus + 1 })).toBe('in-place-live');
    giveBack = await fillVcpus(admin, home);
    await owner.button('Resize').click();
    await expect(owner.page.locator('main')).toContainText('nothing was started');
    await expect(owner.plan).not.toHaveAttribute('data-plan', 'in-place-live');
    await expect(owner.page).toHaveURL(/\/resize/);
  } finally {
    await giveBack();
  }
  expect(await owner.operationsOf(shop.id)).toEqual(before);
  if (!lab.simulated) expect(lab.home(shop.id)).toBe(home);
});
