import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';
import { verifyAfter, verifyGuest } from '../story/verify';

for (const [what, name] of [
  ['a stopped machine', 'mail'],
  ['a stopped container', 'cutter'],
] as const) {
  test(`${what} is resized where it is, and moved, without a start`, async ({ admin, as, lab, watch }) => {
    needsRealNodes(lab);
    const { id, owner: email } = lab.vm(name);
    const owner = await as(email);
    const size = await owner.sizeOf(id);
    const before = watch(id);
    const larger = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib + 64 };
    // Its disk grows on the way.
    const largest = { ...larger, memory_mib: size.memory_mib + 128, disk_gib: size.disk_gib + 1 };
    let giveBack = async () => {};
    await owner.order(id, 'Stop');
    try {
      const grown = await owner.resize(id, larger);
      expect(grown.plan).toMatch(/^in-place/);
      await verifyAfter(lab, before, grown, larger, 'shut off');
      giveBack = await fillMemory(admin, before.node);
      const moved = await owner.resize(id, largest);
      expect(moved.plan).toBe('move-cold');
      await verifyAfter(lab, before, moved, largest, 'shut off');
    } finally {
      await giveBack();
      await owner.order(id, 'Start');
    }
    await verifyGuest(lab, before, largest, true);
    // What was recorded is still the size that it was given.
    expect(await owner.sizeOf(id)).toEqual(largest);
    await owner.resize(id, { ...size, disk_gib: largest.disk_gib });
  });
}
