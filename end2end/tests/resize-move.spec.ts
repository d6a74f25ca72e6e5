import { configured, heard, heartbeat } from '../story/guest';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, sizeWithPlan, test } from '../story/test';

test('a VM that its node has no room for moves live to another and grows there', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const shop = lab.vm('shop');
  const owner = await as(shop.owner);
  const source = lab.home(shop.id);
  const before = heartbeat(lab, shop.id);
  const size = await owner.sizeOf(shop.id);
  const giveBack = await fillMemory(admin, source);
  const ping = lab.ping(before.address);
  try {
    const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 256 };
    expect(await owner.preview(shop.id, larger)).toBe('move-live');
    await owner.agree();
    const outcome = await owner.outcome();
    expect(outcome.word, await owner.said()).toBe('Succeeded');

    // On the second node of the same kind and nowhere else, with nothing left on the first.
    const destination = lab.home(shop.id);
    expect(lab.others(source).map((node) => node.name)).toContain(destination);
    expect(lab.poolFiles(destination).some((file) => file.includes(shop.id))).toBe(true);
    expect(lab.poolFiles(source).filter((file) => file.includes(shop.id))).toEqual([]);

    // Its new size, running and at its next start, and as its guest sees it. The guest never stopped.
    const held = { vcpus: larger.vcpus, memory_mib: larger.memory_mib };
    expect(configured(lab, destination, shop.id, 'live')).toEqual(held);
    expect(configured(lab, destination, shop.id, 'inactive')).toEqual(held);
    const same = { boot_id: before.boot_id, data: before.data, mac: before.mac, address: before.address };
    await expect.poll(() => heard(lab, shop.id), { timeout: 30_000 }).toMatchObject({ ...held, ...same });

    const { answers, longestGapMs, output } = await ping.stop();
    expect(answers, output).toBeGreaterThan(10);
    expect(longestGapMs, output).toBeLessThan(5_000);
    expect(Math.abs(longestGapMs - (outcome.downtimeMs ?? Number.NaN))).toBeLessThan(1_500);

    // The admin sees from where to where.
    await admin.open(`/operations/${outcome.id}`);
    expect(await admin.outcome()).toMatchObject({ source, destination });
    const listed = admin.page.locator(`section:has(h2:text-is("VMs on it")) a[href$="/vms/${shop.id}"]`);
    await admin.open(`/admin/nodes/${destination}`);
    await expect(listed).toBeVisible();
    await admin.open(`/admin/nodes/${source}`);
    await expect(listed).toHaveCount(0);

    // It survives being powered off.
    await owner.order(shop.id, 'Stop');
    expect(lab.virsh(destination, 'domstate', shop.id)).toBe('shut off');
    expect(await owner.sizeOf(shop.id)).toEqual(larger);
    await owner.order(shop.id, 'Start');
    await expect
      .poll(() => heard(lab, shop.id)?.boot_id, { timeout: 60_000 })
      .not.toBe(before.boot_id);
    expect(heartbeat(lab, shop.id)).toMatchObject({ ...held, data: before.data, mac: before.mac });
  } finally {
    await ping.stop();
    await giveBack();
  }
  await owner.resize(shop.id, size);
});

test('a container moves cold, with its data, to another node that holds its new size', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const catalogue = lab.vm('catalogue');
  const owner = await as(catalogue.owner);
  const source = lab.home(catalogue.id);
  const before = heartbeat(lab, catalogue.id);
  const size = await owner.sizeOf(catalogue.id);
  const giveBack = await fillMemory(admin, source);
  const ping = lab.ping(before.address);
  try {
    const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 256 };
    expect(await owner.preview(catalogue.id, larger)).toBe('move-cold');
    await expect(owner.plan).toContainText(/stop|shut|restart|down/i);
    await owner.agree();
    const outcome = await owner.outcome(180);
    expect(outcome.word, await owner.said()).toBe('Succeeded');

    const destination = lab.home(catalogue.id);
    expect(lab.others(source).map((node) => node.name)).toContain(destination);
    expect(lab.poolFiles(destination).some((file) => file.includes(catalogue.id))).toBe(true);
    expect(lab.poolFiles(source).filter((file) => file.includes(catalogue.id))).toEqual([]);
    const held = { vcpus: larger.vcpus, memory_mib: larger.memory_mib };
    expect(configured(lab, destination, catalogue.id, 'live')).toEqual(held);
    expect(configured(lab, destination, catalogue.id, 'inactive')).toEqual(held);
    const kept = { data: before.data, mac: before.mac, address: before.address };
    await expect
      .poll(() => heard(lab, catalogue.id), { timeout: 60_000 })
      .toMatchObject({ ...kept, memory_mib: larger.memory_mib });
    expect(heartbeat(lab, catalogue.id).boot_id).not.toBe(before.boot_id);

    // What Hostgrid measured is what a customer's network saw.
    const { longestGapMs, output } = await ping.stop();
    expect(outcome.downtimeMs, 'the operation tells its downtime').not.toBeNull();
    expect(Math.abs(longestGapMs - (outcome.downtimeMs ?? Number.NaN)), output).toBeLessThan(3_000);
  } finally {
    await ping.stop();
    await giveBack();
  }
  await owner.resize(catalogue.id, size);
});

test('growing beyond the maxima restarts the VM, and says so before', async ({ as, lab }) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const before = heartbeat(lab, render.id);
  const size = await owner.sizeOf(render.id);
  const larger = await sizeWithPlan(
    owner,
    render.id,
    'in-place-restart',
    [2, 3, 4, 5, 6].map((vcpus) => ({ ...size, vcpus })),
  );
  await expect(owner.plan).toContainText(/restart/i);
  const outcome = await owner.resize(render.id, larger);
  expect(outcome.plan).toBe('in-place-restart');
  expect(outcome.downtimeMs ?? 0).toBeGreaterThan(0);
  await expect.poll(() => heard(lab, render.id)?.boot_id, { timeout: 60_000 }).not.toBe(before.boot_id);
  await expect
    .poll(() => heard(lab, render.id), { timeout: 30_000 })
    .toMatchObject({ vcpus: larger.vcpus, data: before.data, mac: before.mac });
  await owner.resize(render.id, size);
});

test('growing beyond the maxima on a full node moves live and then restarts', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const source = lab.home(render.id);
  const before = heartbeat(lab, render.id);
  const size = await owner.sizeOf(render.id);
  const giveBack = await fillMemory(admin, source);
  try {
    const larger = await sizeWithPlan(owner, render.id, 'move-live-restart', [5, 6, 7].map((vcpus) => ({ ...size, vcpus, memory_mib: size.memory_mib + 64 })));
    const outcome = await owner.resize(render.id, larger);
    expect(outcome.plan).toBe('move-live-restart');
    const destination = lab.home(render.id);
    expect(destination).not.toBe(source);
    expect(configured(lab, destination, render.id, 'live')).toEqual({ vcpus: larger.vcpus, memory_mib: larger.memory_mib });
    await expect.poll(() => heard(lab, render.id)?.boot_id, { timeout: 60_000 }).not.toBe(before.boot_id);
    await expect
      .poll(() => heard(lab, render.id), { timeout: 30_000 })
      .toMatchObject({ vcpus: larger.vcpus, data: before.data, mac: before.mac, address: before.address });
  } finally {
    await giveBack();
  }
  await owner.resize(render.id, size);
});
