import { configured, heard, heartbeat } from '../story/guest';
import { expect, needsRealNodes, test } from '../story/test';

test('a VM grows in place while it runs, and its guest and both configurations agree', async ({ as, lab }) => {
  needsRealNodes(lab);
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const before = heartbeat(lab, mail.id);
  const home = lab.home(mail.id);
  const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 64 };

  expect(await owner.preview(mail.id, larger)).toBe('in-place-live');
  await owner.agree();
  const outcome = await owner.outcome();
  expect(outcome.word, await owner.said()).toBe('Succeeded');
  // Measured by asking its address: an answer on a busy machine may take a moment.
  expect(outcome.downtimeMs ?? 0).toBeLessThan(1_000);

  const { disk_gib: _, ...held } = larger;
  expect(configured(lab, home, mail.id, 'live')).toEqual(held);
  expect(configured(lab, home, mail.id, 'inactive')).toEqual(held);
  await expect
    .poll(() => heard(lab, mail.id), { timeout: 30_000 })
    .toMatchObject({ ...held, boot_id: before.boot_id, data: before.data });
  expect(await owner.sizeOf(mail.id)).toEqual(larger);

  // And back: memory shrinks while it runs; vCPUs too, except under emulation, where QEMU does not survive it.
  expect(await owner.preview(mail.id, { memory_mib: size.memory_mib })).toBe('in-place-live');
  await owner.agree();
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await expect
    .poll(() => heard(lab, mail.id), { timeout: 30_000 })
    .toMatchObject({ vcpus: larger.vcpus, memory_mib: size.memory_mib, boot_id: before.boot_id });
  const emulated = lab.node(home).kind === 'qemu';
  expect(await owner.preview(mail.id, size)).toBe(emulated ? 'in-place-restart' : 'in-place-live');
  await owner.agree();
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await expect
    .poll(() => heard(lab, mail.id), { timeout: 60_000 })
    .toMatchObject({ vcpus: size.vcpus, memory_mib: size.memory_mib, data: before.data });
  expect(configured(lab, home, mail.id, 'inactive')).toEqual({ vcpus: size.vcpus, memory_mib: size.memory_mib });
});

test('a container grows and shrinks in place while it runs', async ({ as, lab }) => {
  needsRealNodes(lab);
  const cutter = lab.vm('cutter');
  const owner = await as(cutter.owner);
  const size = await owner.sizeOf(cutter.id);
  const before = heartbeat(lab, cutter.id);
  const home = lab.home(cutter.id);

  const larger = { ...size, vcpus: size.vcpus + 1 };
  expect(await owner.preview(cutter.id, larger)).toBe('in-place-live');
  await owner.agree();
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  expect(configured(lab, home, cutter.id, 'live').vcpus).toBe(larger.vcpus);
  expect(configured(lab, home, cutter.id, 'inactive').vcpus).toBe(larger.vcpus);

  await owner.resize(cutter.id, size);
  expect(configured(lab, home, cutter.id, 'live')).toEqual({ vcpus: size.vcpus, memory_mib: size.memory_mib });
  await expect
    .poll(() => heard(lab, cutter.id), { timeout: 30_000 })
    .toMatchObject({ boot_id: before.boot_id, data: before.data, memory_mib: size.memory_mib });
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

test("a running VM's disk grows while it runs, and its guest sees it", async ({ as, lab }) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const size = await owner.sizeOf(render.id);
  const before = heartbeat(lab, render.id);
  const larger = { ...size, disk_gib: size.disk_gib + 1 };
  const outcome = await owner.resize(render.id, larger);
  expect(['in-place-live', 'move-live']).toContain(outcome.plan);
  await expect
    .poll(() => heard(lab, render.id), { timeout: 30_000 })
    .toMatchObject({ disk_gib: larger.disk_gib, boot_id: before.boot_id, data: before.data });
  expect(await owner.sizeOf(render.id)).toEqual(larger);

  // There is no way back: disks never shrink.
  expect(await owner.preview(render.id, { disk_gib: size.disk_gib })).toBe('refused');
  await expect(owner.plan).toContainText(/disk/i);
  await expect(owner.plan).toContainText(/shrink|smaller/i);
  await expect(owner.button('Resize')).toHaveCount(0);
});
