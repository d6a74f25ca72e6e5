// bench: how long a resize takes, agreed to verified, and how much of that Hostgrid itself adds.
//
// Every round grows and shrinks a machine's memory in place, moves it live to the other node and back, and moves a container
// cold and back. The figures are the operations' own: their duration, and what of it was not spent inside libvirt's
// and the utility modules' calls. A table for people, and resize.json for programs.

import { found, type Lab, type Size } from '../story/lab';
import { type Measure, writeMeasures } from '../story/measures';
import type { Outcome, Panel, Plan } from '../story/panel';
import { fillMemory } from '../story/room';
import { expect, test } from '../story/test';

/** Two moves, or a growth and a shrink, each round. */
const rounds = Number(process.env.HOSTGRID_BENCH_ROUNDS ?? 4);

// Aims. Adding at most 150 ms to a live change is the project's aim; the others are what the lab's emulated guests
// and its small disks allow on two cores: a copy of a mostly empty disk, a container's stop and start.
const aims: Record<string, { seconds: number; addedMs: number }> = {
  in_place_live: { seconds: 2, addedMs: 150 },
  move_live: { seconds: 8, addedMs: 150 },
  move_cold: { seconds: 12, addedMs: 300 },
};

const taken: Record<string, Outcome[]> = { in_place_live: [], move_live: [], move_cold: [] };

test('resize', async ({ admin, lab }) => {
  expect(lab.simulated, 'a bench of simulated nodes would say nothing').toBe(false);
  const machine = lab.vm('shop').id;
  const container = lab.vm('catalogue').id;
  const started: [string, Size][] = [];
  for (const vm of [machine, container]) started.push([vm, await admin.sizeOf(vm)]);

  for (let round = 0; round < rounds; round += 1) {
    const size = await admin.sizeOf(machine);
    await timed(admin, machine, 'in-place-live', { ...size, memory_mib: size.memory_mib + 64 });
    await timed(admin, machine, 'in-place-live', size);
    await thereAndBack(admin, lab, machine, 'move-live');
    await thereAndBack(admin, lab, container, 'move-cold');
  }
  for (const [vm, size] of started) {
    if (JSON.stringify(await admin.sizeOf(vm)) !== JSON.stringify(size)) await admin.resize(vm, size);
  }
  report();
});

/** Two moves, each because the node where it is has no memory left; then its old size again. */
async function thereAndBack(admin: Panel, lab: Lab, vm: string, plan: Plan): Promise<void> {
  const size = await admin.sizeOf(vm);
  for (const step of [1, 2]) {
    const giveBack = await fillMemory(admin, lab.home(vm));
    try {
      await timed(admin, vm, plan, { ...size, memory_mib: size.memory_mib + 64 * step });
    } finally {
      await giveBack();
    }
  }
  await timed(admin, vm, 'in-place-live', size, false);
}

async function timed(admin: Panel, vm: string, plan: Plan, size: Size, counted = true): Promise<void> {
  const outcome = await admin.resize(vm, size);
  expect(outcome.plan).toBe(plan);
  if (counted) taken[plan.replaceAll('-', '_')]?.push(outcome);
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = found(sorted[middle], 'a value');
  return sorted.length % 2 === 1 ? upper : (upper + found(sorted[middle - 1], 'a value')) / 2;
}

function report(): void {
  const measures: Measure[] = [];
  const rows = [];
  for (const [name, outcomes] of Object.entries(taken)) {
    const aim = found(aims[name], `an aim for ${name}`);
    const seconds = outcomes.map((outcome) => found(outcome.durationMs, 'a duration') / 1000);
    const added = outcomes.map((one) => found(one.durationMs, 'a duration') - found(one.calledMs, 'the time in calls'));
    const downtime = outcomes.map((outcome) => found(outcome.downtimeMs, 'a downtime'));
    rows.push({
      what: name.replaceAll('_', ' '),
      times: outcomes.length,
      'median s': Number(median(seconds).toFixed(2)),
      'slowest s': Number(Math.max(...seconds).toFixed(2)),
      'aim s': aim.seconds,
      'added ms': Math.round(median(added)),
      'aim ms': aim.addedMs,
      'downtime ms': Math.round(median(downtime)),
    });
    measures.push(
      { measure: `${name}_s`, value: Number(median(seconds).toFixed(3)), unit: 's', aim: aim.seconds, better: 'lower' },
      { measure: `${name}_added_ms`, value: Math.round(median(added)), unit: 'ms', aim: aim.addedMs, better: 'lower' },
    );
  }
  console.table(rows);
  writeMeasures('resize', measures);
}
