// Resizes for the benches: each asked for, agreed to and seen through, as the operation itself tells it.

import { expect } from '@playwright/test';
import { found, type Lab, type Size } from './lab';
import type { Outcome, Panel, Plan } from './panel';
import { fillMemory } from './room';

/** Two moves, or a growth and a shrink, each round. */
export const rounds = Number(process.env.HOSTGRID_BENCH_ROUNDS ?? 4);

/** Memory plugged into a running machine and taken out again. */
export async function growAndShrink(admin: Panel, vm: string): Promise<Outcome[]> {
  const size = await admin.sizeOf(vm);
  const grown = await timed(admin, vm, 'in-place-live', { ...size, memory_mib: size.memory_mib + 64 });
  return [grown, await timed(admin, vm, 'in-place-live', size)];
}

/** Two moves, each because the node where it is has no memory left; then its old size again. */
export async function thereAndBack(admin: Panel, lab: Lab, vm: string, plan: Plan): Promise<Outcome[]> {
  const size = await admin.sizeOf(vm);
  const moves: Outcome[] = [];
  for (const step of [1, 2]) {
    const giveBack = await fillMemory(admin, lab.home(vm));
    try {
      moves.push(await timed(admin, vm, plan, { ...size, memory_mib: size.memory_mib + 64 * step }));
    } finally {
      await giveBack();
    }
  }
  await timed(admin, vm, 'in-place-live', size);
  return moves;
}

async function timed(admin: Panel, vm: string, plan: Plan, size: Size): Promise<Outcome> {
  const outcome = await admin.resize(vm, size);
  expect(outcome.plan).toBe(plan);
  return outcome;
}

/** The part of it that was not spent inside libvirt's and the utility module's own calls. */
export function addedMs({ durationMs, calledMs }: Outcome): number {
  return found(durationMs, 'a duration') - found(calledMs, 'the time in calls');
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = found(sorted[middle], 'a value');
  return sorted.length % 2 === 1 ? upper : (upper + found(sorted[middle - 1], 'a value')) / 2;
}
