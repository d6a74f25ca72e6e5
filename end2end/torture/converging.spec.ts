// A guest that writes to its memory faster than that is carried: what it may stand still for is raised in steps, then its live
// move is given up, and a cold one offered instead. Meanwhile nobody changes it behind the move's back.

import { heard } from '../story/guest';
import { allowed, carriesMemory, crawl, meanwhile, speed } from '../story/live';
import { promisesKept } from '../story/promises';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';
import { tracesOn, verifyRuns } from '../story/verify';

// The tiny guest writes the same 128 KiB again and again where it is called so.
test('a live move that does not converge is given up after every step of downtime, and nothing changes meanwhile', async ({
  admin,
  as,
  lab,
  watch,
}) => {
  needsRealNodes(lab);
  test.setTimeout(500_000);
  const owner = await as(lab.vm('shop').owner);
  const name = `restless-${test.info().retry}`;
  const vm = await owner.deploy(name, 'tiny');
  await expect.poll(() => heard(lab, vm)?.name, { timeout: 60_000 }).toBe(name);
  const it = { lab, vm, source: lab.home(vm) };
  const [destination] = lab.others(it.source).map((node) => node.name);
  const size = await owner.sizeOf(vm);
  const before = watch(vm);
  const giveBack = await fillMemory(admin, it.source);
  try {
    expect(await owner.preview(vm, { memory_mib: size.memory_mib + 64 })).toBe('move-live');
    speed(it, 256);
    await owner.agree();
    await expect(owner.underWay('migrate-live')).toBeVisible();
    await carriesMemory(it, 8, 2);
    crawl(it, 384);
    const began = Date.now();
    const change = meanwhile(it, 'setvcpus', '1', '--config');
    const steps = [allowed(it)];
    const over = owner.outcome(300);
    let ended = false;
    void over.then(() => (ended = true), () => (ended = true));
    while (!ended) {
      const now = allowed(it);
      // When it is over its hypervisor forgets it.
      if (now > (steps.at(-1) ?? 0)) steps.push(now);
      await new Promise((done) => setTimeout(done, 200));
    }
    expect((await over).word, await owner.said()).toBe('Undone');
    console.log(`  given up after ${Date.now() - began} ms; allowed: ${steps.join(', ')} ms`);
    expect(steps).toEqual([100, 200, 400, 800, 1600]);
    await expect(owner.page.locator('.outcome-reason').first()).toContainText('with a restart it can be moved');
    expect(await change).toEqual({ done: false, said: expect.stringContaining('cannot acquire state change lock') });
    expect(lab.whereabouts(vm)).toEqual([it.source]);
    expect(tracesOn(lab, destination ?? '', vm)).toEqual([]);
    await verifyRuns(lab, before, size);
    await promisesKept(lab);
    expect(await owner.preview(vm, { memory_mib: size.memory_mib + 64 }), 'what is offered instead').toBe('move-cold');
  } finally {
    await giveBack();
    await owner.remove(vm);
    await owner.outcome();
  }
});
