// bench: what Hostgrid adds to a real live move and to a real hot-plug, beside what `cargo bench` says of the simulated
// ones in operations.json: the time outside libvirt's and the utility module's calls, and the downtime.

import { found } from '../story/lab';
import { addMeasures } from '../story/measures';
import type { Outcome } from '../story/panel';
import { expect, test } from '../story/test';
import { addedMs, growAndShrink, median, rounds, thereAndBack } from '../story/timed';

test('operations', async ({ admin, lab }) => {
  expect(lab.simulated, 'a bench of simulated nodes would say nothing').toBe(false);
  const machine = lab.vm('shop').id;
  const moves: Outcome[] = [];
  const plugs: Outcome[] = [];
  for (let round = 0; round < rounds; round += 1) {
    plugs.push(...(await growAndShrink(admin, machine)));
    moves.push(...(await thereAndBack(admin, lab, machine, 'move-live')));
  }
  const kinds = { live_move: moves, hot_plug: plugs };
  const rows = Object.entries(kinds).map(([name, outcomes]) => ({
    what: name.replaceAll('_', ' '),
    times: outcomes.length,
    'added ms': Math.round(median(outcomes.map(addedMs))),
    'most ms': Math.round(Math.max(...outcomes.map(addedMs))),
    'aim ms': 150,
    'downtime ms': Math.round(median(outcomes.map(({ downtimeMs }) => found(downtimeMs, 'a downtime')))),
  }));
  console.table(rows);
  const measures = Object.entries(kinds).map(([name, outcomes]) => {
    const value = Math.round(median(outcomes.map(addedMs)));
    return { measure: `${name}_added_ms`, value, unit: 'ms', aim: 150, better: 'lower' as const };
  });
  addMeasures('operations', measures);
});
