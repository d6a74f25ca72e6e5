import { fillMemory, fillVcpus } from '../story/room';
import { expect, needsRealNodes, sizeWithPlan, test } from '../story/test';
import { verifyAfter, verifyPowerOff, verifyStartsAnew } from '../story/verify';

test('a VM that its node has no room for moves live to another and grows there, its disk too', async ({
  admin,
  as,
  lab,
  watch,
}) => {
  needsRealNodes(lab);
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  const size = await owner.sizeOf(shop.id);
  const source = lab.home(shop.id);
  const giveBack = await fillMemory(admin, source);
  const before = watch(shop.id);
  try {
    const larger = { vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 256, disk_gib: size.disk_gib + 1 };
    expect(await owner.preview(shop.id, larger)).toBe('move-live');
    await owner.agree();
    // Its steps are seen as they go, and outlive a reload.
    const steps = owner.page.locator('[data-step]');
    const names = () => steps.evaluateAll((each) => each.map((step) => (step as HTMLElement).dataset.step));
    await expect(owner.page.locator('[data-step][data-state=started]').first()).toBeVisible();
    const seen = await names();
    await owner.page.reload();
    await owner.alive();
    expect(await names()).toEqual(seen);
    const outcome = await owner.outcome();
    expect(outcome.word, await owner.said()).toBe('Succeeded');
    await expect(owner.page.locator('[data-step][data-state=done]')).toHaveCount(seen.length);
    expect(outcome.downtimeMs ?? 0).toBeLessThan(5_000);
    await verifyAfter(lab, before, outcome, larger);

    // The admin sees from where to where.
    const destination = lab.home(shop.id);
    await admin.open(`/operations/${outcome.id}`);
    expect(await admin.outcome()).toMatchObject({ source, destination });
    const listed = admin.page.locator(`section:has(h2:text-is("VMs on it")) a[href$="/vms/${shop.id}"]`);
    await admin.open(`/admin/nodes/${destination}`);
    await expect(listed).toBeVisible();
    await admin.open(`/admin/nodes/${source}`);
    await expect(listed).toHaveCount(0);

    await verifyStartsAnew(lab, before, larger);
    await verifyPowerOff(lab, owner, before, larger);
  } finally {
    await giveBack();
  }
  await owner.resize(shop.id, { ...size, disk_gib: size.disk_gib + 1 });
});

test('what a VM gives back it gives back before it moves live, and grows there', async ({ admin, as, lab, watch }) => {
  needsRealNodes(lab);
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  const size = await owner.sizeOf(shop.id);
  await owner.resize(shop.id, { ...size, memory_mib: size.memory_mib + 256 });
  const giveBack = await fillVcpus(admin, lab.home(shop.id));
  const before = watch(shop.id);
  try {
    const asked = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 64 };
    const outcome = await owner.resize(shop.id, asked);
    expect(outcome.plan).toBe('move-live');
    const steps = owner.page.locator('[data-step]');
    const names = await steps.evaluateAll((each) => each.map((step) => (step as HTMLElement).dataset.step));
    expect(names.filter((name) => /set-|migrate/.test(name ?? ''))).toEqual(['set-memory', 'migrate-live', 'set-vcpus']);
    await verifyAfter(lab, before, outcome, asked);
  } finally {
    await giveBack();
  }
  await owner.resize(shop.id, size);
});

test('a container moves cold, with its data, to another node that holds its new size', async ({ admin, as, lab, watch }) => {
  needsRealNodes(lab);
  const catalogue = lab.vm('catalogue');
  const owner = await as(catalogue.owner);
  const size = await owner.sizeOf(catalogue.id);
  const giveBack = await fillMemory(admin, lab.home(catalogue.id));
  const before = watch(catalogue.id);
  try {
    const larger = { vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 256, disk_gib: size.disk_gib + 1 };
    expect(await owner.preview(catalogue.id, larger)).toBe('move-cold');
    await expect(owner.plan).toContainText(/stop|shut|restart|down/i);
    await owner.agree();
    const outcome = await owner.outcome(180);
    expect(outcome.word, await owner.said()).toBe('Succeeded');
    await verifyAfter(lab, before, outcome, larger);
    await verifyPowerOff(lab, owner, before, larger);
  } finally {
    await giveBack();
  }
  await owner.resize(catalogue.id, { ...size, disk_gib: size.disk_gib + 1 });
});

test('growing beyond the maxima on a full node moves live and then restarts', async ({ admin, as, lab, watch }) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const size = await owner.sizeOf(render.id);
  const giveBack = await fillMemory(admin, lab.home(render.id));
  const before = watch(render.id);
  try {
    const sizes = [5, 6, 7].map((vcpus) => ({ ...size, vcpus, memory_mib: size.memory_mib + 64 }));
    const larger = await sizeWithPlan(owner, render.id, 'move-live-restart', sizes);
    const outcome = await owner.resize(render.id, larger);
    expect(outcome.plan).toBe('move-live-restart');
    // It was switched off and on there.
    await verifyAfter(lab, before, outcome, larger);
  } finally {
    await giveBack();
  }
  await owner.resize(render.id, size);
});
