import { heard } from '../story/guest';
import { found } from '../story/lab';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';
import { tracesOn, verifyAfter, verifyRuns } from '../story/verify';

// The tiny guest ignores every request to stop where it is called so.
test('a guest that ignores the request to shut down is forced off only where that was ticked', async ({
  admin,
  as,
  lab,
  watch,
}) => {
  needsRealNodes(lab);
  const owner = await as(lab.vm('render').owner);
  const id = await owner.deploy('deaf-one', 'tiny-container');
  await expect.poll(() => heard(lab, id)?.name, { timeout: 60_000 }).toBe('deaf-one');
  const size = await owner.sizeOf(id);
  const before = watch(id);
  const other = found(lab.others(before.node)[0], 'another node of its kind').name;
  const larger = { ...size, memory_mib: size.memory_mib + 64 };
  const giveBack = await fillMemory(admin, before.node);
  try {
    expect(await owner.preview(id, larger)).toBe('move-cold');
    await owner.agree();
    const undone = await owner.outcome();
    expect(undone.word, await owner.said()).toBe('Undone');
    await expect(owner.page.locator('.outcome-reason')).toContainText('the guest did not shut down within 20 s');
    expect(lab.whereabouts(id)).toEqual([before.node]);
    expect(tracesOn(lab, other, id)).toEqual([]);
    await verifyRuns(lab, before, size);
    expect(await owner.sizeOf(id)).toEqual(size);

    const again = watch(id);
    expect(await owner.preview(id, larger)).toBe('move-cold');
    await owner.agree({ forceOff: true });
    const outcome = await owner.outcome();
    expect(outcome.word, await owner.said()).toBe('Succeeded');
    expect(await owner.said()).toContain('forced off, as agreed');
    await verifyAfter(lab, again, outcome, larger);
  } finally {
    await giveBack();
    await owner.remove(id);
    await owner.outcome();
  }
});

test('a machine that ignores the request to shut down is forced off only where that was ticked', async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const owner = await as(lab.vm('render').owner);
  const id = await owner.deploy('deaf-machine', 'tiny');
  try {
    await expect.poll(() => heard(lab, id)?.name, { timeout: 60_000 }).toBe('deaf-machine');
    const size = await owner.sizeOf(id);
    const before = watch(id);
    // Less than it was started with can't be had while it runs.
    const smaller = { ...size, memory_mib: size.memory_mib - 64 };
    expect(await owner.preview(id, smaller)).toBe('in-place-restart');
    await owner.agree();
    const undone = await owner.outcome();
    expect(undone.word, await owner.said()).toBe('Undone');
    await expect(owner.page.locator('.outcome-reason')).toContainText('the guest did not shut down within 20 s');
    await verifyRuns(lab, before, size);
    expect(await owner.sizeOf(id)).toEqual(size);

    const again = watch(id);
    expect(await owner.preview(id, smaller)).toBe('in-place-restart');
    await owner.agree({ forceOff: true });
    const outcome = await owner.outcome();
    expect(outcome.word, await owner.said()).toBe('Succeeded');
    expect(await owner.said()).toContain('forced off, as agreed');
    await verifyAfter(lab, again, outcome, smaller);
  } finally {
    await owner.remove(id);
    await owner.outcome();
  }
});
