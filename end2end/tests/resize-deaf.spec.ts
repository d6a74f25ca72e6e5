import { heard } from '../story/guest';
import type { Plan } from '../story/panel';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test, together } from '../story/test';
import { tracesOn, verifyAfter, verifyRuns } from '../story/verify';

/** What is tried on a guest that ignores the request to shut down. */
interface Deaf {
  image: string;
  plan: Plan;
  /** Of memory, in MiB. */
  change: number;
  /** What the change needs first; answers what undoes it. */
  prepare: (node: string) => Promise<() => Promise<void>>;
}

// The tiny guest ignores every request to stop where it is called so. Both wait for a deadline twice: at the same time.
test('a guest that ignores the request to shut down is forced off only where that was ticked', async ({
  admin,
  as,
  lab,
  watch,
}) => {
  needsRealNodes(lab);
  const deaf = async ({ image, plan, change, prepare }: Deaf) => {
    const owner = await as(lab.vm('render').owner);
    const name = `deaf-${image}`;
    const id = await owner.deploy(name, image);
    await expect.poll(() => heard(lab, id)?.name, { timeout: 60_000 }).toBe(name);
    const size = await owner.sizeOf(id);
    const before = watch(id);
    const changed = { ...size, memory_mib: size.memory_mib + change };
    const giveBack = await prepare(before.node);
    try {
      expect(await owner.preview(id, changed)).toBe(plan);
      await owner.agree();
      const undone = await owner.outcome();
      expect(undone.word, await owner.said()).toBe('Undone');
      await expect(owner.page.locator('.outcome-reason')).toContainText(/the guest did not shut down within \d+ s/);
      expect(lab.whereabouts(id)).toEqual([before.node]);
      for (const other of lab.others(before.node)) expect(tracesOn(lab, other.name, id)).toEqual([]);
      await verifyRuns(lab, before, size);
      expect(await owner.sizeOf(id)).toEqual(size);

      const again = watch(id);
      expect(await owner.preview(id, changed)).toBe(plan);
      await owner.agree({ forceOff: true });
      const outcome = await owner.outcome();
      expect(outcome.word, await owner.said()).toBe('Succeeded');
      expect(await owner.said()).toContain('forced off, as agreed');
      await verifyAfter(lab, again, outcome, changed);
    } finally {
      await giveBack();
      await owner.remove(id);
      await owner.outcome();
    }
  };
  await together([
    deaf({ image: 'tiny-container', plan: 'move-cold', change: 64, prepare: (node) => fillMemory(admin, node) }),
    // Less than it was started with can't be had while it runs.
    deaf({ image: 'tiny', plan: 'in-place-restart', change: -64, prepare: async () => async () => {} }),
  ]);
});
