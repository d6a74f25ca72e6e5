// A live move that is cancelled while its guest's memory is carried.

import { carriesMemory, job, speed } from '../story/live';
import { promisesKept } from '../story/promises';
import { runsWhereItWas, scene } from '../story/scene';
import { expect, needsRealNodes, test } from '../story/test';
import { tracesOn, verifyRuns } from '../story/verify';

test('a live move that its owner cancels while memory is carried: the guest runs on where it was, and nothing is left', async ({
  admin,
  as,
  lab,
  watch,
}) => {
  needsRealNodes(lab);
  const it = await scene('shop', admin, as, lab);
  const { owner, vm, source, destination } = it;
  const size = await owner.sizeOf(vm);
  const before = watch(vm);
  const reserved = async () => {
    await admin.open(`/admin/nodes/${destination}`);
    return admin.page.locator('[data-label=Reserved]').allInnerTexts();
  };
  try {
    const kept = await reserved();
    expect(await owner.preview(vm, { memory_mib: size.memory_mib + 128 })).toBe('move-live');
    // Its disk is carried in a few seconds, and what follows would take minutes.
    speed(it, 256);
    await owner.agree();
    await expect(owner.underWay('migrate-live')).toBeVisible();
    await carriesMemory(it, 1);
    expect(await reserved()).not.toEqual(kept);
    expect(tracesOn(lab, destination, vm), 'what the destination has of it by now').not.toEqual([]);
    const cancel = owner.button('Cancel');
    await cancel.click();
    const { word } = await owner.outcome(30);
    expect(word, await owner.said()).toBe('Undone');
    await expect(owner.page.locator('.outcome-reason').first()).toContainText('cancelled');
    await expect(cancel).toHaveCount(0);
    expect(job(it), 'nothing moves').toMatch(/Job type:\s+None/);
    await runsWhereItWas(it);
    expect(tracesOn(lab, destination, vm), 'what the destination still has of it').toEqual([]);
    await verifyRuns(lab, before, size);
    expect(await owner.sizeOf(vm)).toEqual(size);
    expect(await reserved()).toEqual(kept);
    await promisesKept(lab);
    // Its address was never silent for long.
    expect((await before.ping.stop()).longestGapMs).toBeLessThan(2_000);
  } finally {
    speed(it, 10_000);
    await it.giveBack();
  }
});
