import { expect, needsRealNodes, sizeWithPlan, test } from '../story/test';
import { verifyAfter, verifyPowerOff } from '../story/verify';

test('a VM grows in place while it runs, and its guest and both configurations agree', async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const before = watch(mail.id);
  const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 64 };

  try {
    const outcome = await owner.resize(mail.id, larger);
    expect(outcome.plan).toBe('in-place-live');
    // Measured by asking its address: an answer on a busy machine may take a moment.
    expect(outcome.downtimeMs ?? 0).toBeLessThan(1_000);
    await verifyAfter(lab, before, outcome, larger);
    await verifyPowerOff(lab, owner, before, larger);

    // And back: memory shrinks while it runs; vCPUs too, except under emulation, where QEMU does not survive it.
    const smaller = { ...larger, memory_mib: size.memory_mib };
    const shrunk = watch(mail.id);
    const back = await owner.resize(mail.id, smaller);
    expect(back.plan).toBe('in-place-live');
    await verifyAfter(lab, shrunk, back, smaller);
    const last = watch(mail.id);
    const first = await owner.resize(mail.id, size);
    expect(first.plan).toBe(lab.node(before.node).kind === 'qemu' ? 'in-place-restart' : 'in-place-live');
    await verifyAfter(lab, last, first, size);
  } catch (failure) {
    // Others look for room there; what failed is worth more than what this may say.
    await owner.resize(mail.id, size).catch(() => {});
    throw failure;
  }
});

test('a container grows and shrinks in place while it runs', async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const cutter = lab.vm('cutter');
  const owner = await as(cutter.owner);
  const size = await owner.sizeOf(cutter.id);
  const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 64 };
  const before = watch(cutter.id);
  const outcome = await owner.resize(cutter.id, larger);
  expect(outcome.plan).toBe('in-place-live');
  await verifyAfter(lab, before, outcome, larger);
  await verifyPowerOff(lab, owner, before, larger);

  const grown = watch(cutter.id);
  const back = await owner.resize(cutter.id, size);
  expect(back.plan).toBe('in-place-live');
  await verifyAfter(lab, grown, back, size);
});

test("a container's disk grows with a restart, and its guest sees it", async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const cutter = lab.vm('cutter');
  const owner = await as(cutter.owner);
  const size = await owner.sizeOf(cutter.id);
  const larger = { ...size, disk_gib: size.disk_gib + 1 };
  const before = watch(cutter.id);
  const outcome = await owner.resize(cutter.id, larger);
  expect(outcome.plan).toBe('in-place-restart');
  await verifyAfter(lab, before, outcome, larger);
});

test('growing beyond the maxima restarts the VM, and says so before', async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const size = await owner.sizeOf(render.id);
  const sizes = [5, 6, 7].map((vcpus) => ({ ...size, vcpus, memory_mib: size.memory_mib + 64 }));
  const larger = await sizeWithPlan(owner, render.id, 'in-place-restart', sizes);
  await expect(owner.plan).toContainText(/restart/i);
  const before = watch(render.id);
  const outcome = await owner.resize(render.id, larger);
  expect(outcome.plan).toBe('in-place-restart');
  expect(outcome.downtimeMs ?? 0).toBeGreaterThan(0);
  // It was switched off and on for it.
  await verifyAfter(lab, before, outcome, larger);
  await owner.resize(render.id, size);
});

test('a double click on Resize starts one operation', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const before = await owner.operationsOf(mail.id);
  await owner.preview(mail.id, { memory_mib: size.memory_mib + 64 });
  await owner.button('Resize').dblclick();
  const operation = await owner.operationOpened();
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  const added = [...(await owner.operationsOf(mail.id))].filter((link) => !before.has(link));
  expect(added).toEqual([`/operations/${operation}`]);
  await owner.resize(mail.id, size);
});

test('an agreement that arrives three times is carried out once', async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  await owner.preview(mail.id, { memory_mib: size.memory_mib + 64 });
  await owner.agree();
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await owner.resize(mail.id, size);
  const before = await owner.operationsOf(mail.id);

  await owner.preview(mail.id, { memory_mib: size.memory_mib + 64 });
  const carried = owner.page.locator('form:has(button:text-is("Resize")) input[type=hidden]');
  const agreement = await carried.evaluateAll((inputs: HTMLInputElement[]) => inputs.map((input) => [input.name, input.value]));
  const action = await owner.button('Resize').evaluate((button: HTMLButtonElement) => button.form?.action ?? '');
  const post = () =>
    owner.page.request.post(action, {
      headers: { Origin: new URL(lab.url).origin, Referer: owner.page.url() },
      form: Object.fromEntries(agreement),
      maxRedirects: 0,
    });
  await Promise.all([post(), post(), post()]);
  const added = [...(await owner.operationsOf(mail.id))].filter((link) => !before.has(link));
  expect(added).toHaveLength(1);
  await owner.open(added[0] as string);
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await owner.resize(mail.id, size);
});

test("an operation's page can be loaded again and tells the same", async ({ as, lab }) => {
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const outcome = await owner.resize(mail.id, { memory_mib: size.memory_mib + 64 });
  await owner.page.reload();
  await owner.alive();
  expect(await owner.outcome()).toEqual(outcome);
  await expect(owner.page.locator('[data-step]').first()).toBeVisible();
  await owner.resize(mail.id, size);
});

test("a running VM's disk grows while it runs, and its guest sees it", async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const size = await owner.sizeOf(render.id);
  const larger = { ...size, disk_gib: size.disk_gib + 1 };
  const before = watch(render.id);
  const outcome = await owner.resize(render.id, larger);
  expect(outcome.plan).toBe('in-place-live');
  await verifyAfter(lab, before, outcome, larger);
  expect(await owner.sizeOf(render.id)).toEqual(larger);

  // There is no way back: disks never shrink.
  expect(await owner.preview(render.id, { disk_gib: size.disk_gib })).toBe('refused');
  await expect(owner.plan).toContainText(/disk/i);
  await expect(owner.plan).toContainText(/shrink|smaller/i);
  await expect(owner.button('Resize')).toHaveCount(0);
});
