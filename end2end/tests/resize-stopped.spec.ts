import { configured, heard, heartbeat } from '../story/guest';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';

test('a stopped VM is resized without a start', async ({ as, lab }) => {
  needsRealNodes(lab);
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const { data } = heartbeat(lab, mail.id);
  await owner.order(mail.id, 'Stop');
  const home = lab.home(mail.id);
  const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 128 };
  await owner.resize(mail.id, larger);
  expect(lab.virsh(home, 'domstate', mail.id)).toBe('shut off');
  await owner.order(mail.id, 'Start');
  await expect
    .poll(() => heard(lab, mail.id), { timeout: 60_000 })
    .toMatchObject({ vcpus: larger.vcpus, memory_mib: larger.memory_mib, data });
  await owner.resize(mail.id, size);
});

test('a stopped VM is moved without a start', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const { data } = heartbeat(lab, mail.id);
  await owner.order(mail.id, 'Stop');
  const source = lab.home(mail.id);
  const giveBack = await fillMemory(admin, source);
  const larger = { ...size, memory_mib: size.memory_mib + 128 };
  try {
    const outcome = await owner.resize(mail.id, larger);
    expect(outcome.plan).toBe('move-cold');
  } finally {
    await giveBack();
  }
  const destination = lab.home(mail.id);
  expect(destination).not.toBe(source);
  expect(lab.virsh(destination, 'domstate', mail.id)).toBe('shut off');
  expect(configured(lab, destination, mail.id, 'inactive').memory_mib).toBe(larger.memory_mib);
  expect(lab.poolFiles(source).filter((file) => file.includes(mail.id))).toEqual([]);
  await owner.order(mail.id, 'Start');
  await expect
    .poll(() => heard(lab, mail.id), { timeout: 60_000 })
    .toMatchObject({ memory_mib: larger.memory_mib, data });
  // What was recorded is still the size that it was given.
  expect(await owner.sizeOf(mail.id)).toEqual(larger);
});
