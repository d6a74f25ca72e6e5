import { heard } from '../story/guest';
import { fillVcpus, leaveMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';
import { verifyAfter } from '../story/verify';

test('a running machine moves cold, with its data, where the other node has no room for its old size', async ({
  admin,
  as,
  lab,
  watch,
}) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const size = await owner.sizeOf(render.id);
  const larger = size.memory_mib + 192;
  // Less than it was started with takes a restart: it can't shrink before it moves.
  const changed = { ...size, vcpus: size.vcpus + 1, memory_mib: size.memory_mib - 64 };
  await owner.resize(render.id, { ...size, memory_mib: larger });
  await expect.poll(() => heard(lab, render.id)?.memory_mib, { timeout: 60_000 }).toBe(larger);
  const source = lab.home(render.id);
  const other = lab.others(source)[0]?.name ?? '';
  const giveBack = [await fillVcpus(admin, source)];
  // What QEMU itself takes is counted too: 64 MiB and one part in 64.
  const takes = (mib: number) => mib + 64 + mib / 64;
  giveBack.push(await leaveMemory(admin, other, (takes(changed.memory_mib) + takes(larger)) / 2));
  const before = watch(render.id);
  try {
    expect(await owner.preview(render.id, changed)).toBe('move-cold');
    await expect(owner.plan).toContainText(/restart|shut|off/i);
    await owner.agree();
    const outcome = await owner.outcome(180);
    expect(outcome.word, await owner.said()).toBe('Succeeded');
    // It was started there from what was installed.
    await verifyAfter(lab, before, outcome, changed);
  } finally {
    for (const undo of giveBack) await undo();
  }
  await owner.resize(render.id, size);
});
