import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';
import { verifyAfter, verifyGuest } from '../story/verify';

test('a stopped VM is resized without a start', async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const before = watch(mail.id);
  const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 128 };
  await owner.order(mail.id, 'Stop');
  try {
    const outcome = await owner.resize(mail.id, larger);
    await verifyAfter(lab, before, outcome, larger, 'shut off');
  } finally {
    await owner.order(mail.id, 'Start');
  }
  await verifyGuest(lab, before, larger, true);
  await owner.resize(mail.id, size);
});

test('a stopped VM is moved without a start, and its disk grows on the way', async ({ admin, as, lab, watch }) => {
  needsRealNodes(lab);
  const mail = lab.vm('mail');
  const owner = await as(mail.owner);
  const size = await owner.sizeOf(mail.id);
  const before = watch(mail.id);
  const larger = { ...size, memory_mib: size.memory_mib + 128, disk_gib: size.disk_gib + 1 };
  await owner.order(mail.id, 'Stop');
  const giveBack = await fillMemory(admin, before.node);
  try {
    const outcome = await owner.resize(mail.id, larger);
    expect(outcome.plan).toBe('move-cold');
    await verifyAfter(lab, before, outcome, larger, 'shut off');
  } finally {
    await giveBack();
    await owner.order(mail.id, 'Start');
  }
  await verifyGuest(lab, before, larger, true);
  // What was recorded is still the size that it was given.
  expect(await owner.sizeOf(mail.id)).toEqual(larger);
  await owner.resize(mail.id, { ...size, disk_gib: larger.disk_gib });
});
