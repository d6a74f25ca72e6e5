// bench: how long a resize takes, agreed to verified, and how much of that Hostgrid itself adds.
//
// Every round grows and shrinks a machine's memory in place, moves it live to the other node and back, and moves a container
// cold and back. The figures are the operations' own: their duration, and what of it was not spent inside libvirt's
// and the utility modules' calls. A table for people, and resize.json for programs.

import { found, type Size } from '../story/lab';
import { type Measure, writeMeasures } from '../story/measures';
import type { Outcome } from '../story/panel';
import { expect, test } from '../story/test';
import { addedMs, growAndShrink, median, rounds, thereAndBack } from '../story/timed';

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
    taken.in_place_live?.push(...(await growAndShrink(admin, machine)));
    taken.move_live?.push(...(await thereAndBack(admin, lab, machine, 'move-live')));
    taken.move_cold?.push(...(await thereAndBack(admin, lab, container, 'move-cold')));
  }
  for (const [vm, size] of started) {
    if (JSON.stringify(await admin.sizeOf(vm)) !== JSON.stringify(size)) await admin.resize(vm, size);
  }
  report();
});

function report(): void {
  const measures: Measure[] = [];
  const rows = [];
  for (const [name, outcomes] of Object.entries(taken)) {
    const aim = found(aims[name], `an aim for ${name}`);
    const seconds = outcomes.map((outcome) => found(outcome.durationMs, 'a duration') / 1000);
    const added = outcomes.map(addedMs);
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
