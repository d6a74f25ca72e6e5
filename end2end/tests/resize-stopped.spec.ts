import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';
import { verifyAfter, verifyGuest } from '../story/verify';

for (const [what, name] of [
  ['a stopped machine', 'mail'],
  ['a stopped container', 'cutter'],
] as const) {
  test(`${what} is resized without a start`, async ({ as, lab, watch }) => {
    needsRealNodes(lab);
    const { id, owner: email } = lab.vm(name);
    const owner = await as(email);
    const size = await owner.sizeOf(id);
    const before = watch(id);
    const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 128 };
    await owner.order(id, 'Stop');
    try {
      const outcome = await owner.resize(id, larger);
      await verifyAfter(lab, before, outcome, larger, 'shut off');
    } finally {
      await owner.order(id, 'Start');
    }
    await verifyGuest(lab, before, larger, true);
    await owner.resize(id, size);
  });

  test(`${what} is moved without a start, and its disk grows on the way`, async ({ admin, as, lab, watch }) => {
    needsRealNodes(lab);
    const { id, owner: email } = lab.vm(name);
    const owner = await as(email);
    const size = await owner.sizeOf(id);
    const before = watch(id);
    const larger = { ...size, memory_mib: size.memory_mib + 128, disk_gib: size.disk_gib + 1 };
    await owner.order(id, 'Stop');
    const giveBack = await fillMemory(admin, before.node);
    try {
      const outcome = await owner.resize(id, larger);
      expect(outcome.plan).toBe('move-cold');
      await verifyAfter(lab, before, outcome, larger, 'shut off');
    } finally {
      await giveBack();
      await owner.order(id, 'Start');
    }
    await verifyGuest(lab, before, larger, true);
    // What was recorded is still the size that it was given.
    expect(await owner.sizeOf(id)).toEqual(larger);
    await owner.resize(id, { ...size, disk_gib: larger.disk_gib });
  });
}
