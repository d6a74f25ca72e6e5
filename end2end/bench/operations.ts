// bench: what Hostgrid adds to a real live move and to a real hot-plug, beside what `cargo bench` says of the simulated
// ones in operations.json: the time outside libvirt's and the utility module's calls; and what it adds to the time in which
// a machine that moves gives no answer, against the same moves by hand.

import { found } from '../story/lab';
import { addMeasures } from '../story/measures';
import type { Outcome } from '../story/panel';
import { expect, test } from '../story/test';
import { addedMs, growAndShrink, median, rounds, thereAndBack } from '../story/timed';
import { moveByHand, silentMs } from './by-hand';

test('operations', async ({ admin, lab }) => {
  expect(lab.simulated, 'a bench of simulated nodes would say nothing').toBe(false);
  const machine = lab.vm('shop').id;
  const moves: Outcome[] = [];
  const plugs: Outcome[] = [];
  /** Of each there and back the longer one. */
  const silent: { ours: number[]; byHand: number[] } = { ours: [], byHand: [] };
  for (let round = 0; round < rounds; round += 1) {
    plugs.push(...(await growAndShrink(admin, machine)));
    const ours = async () => moves.push(...(await thereAndBack(admin, lab, machine, 'move-live')));
    silent.ours.push(await silentMs(lab, machine, ours));
    silent.byHand.push(await silentMs(lab, machine, () => moveByHand(admin, lab, machine)));
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
  const middle = { ours: Math.round(median(silent.ours)), byHand: Math.round(median(silent.byHand)) };
  console.table(
    Object.entries(silent).map(([whose, gaps]) => ({
      'no answer to a ping, live move': whose === 'ours' ? "Hostgrid's" : 'by hand',
      times: gaps.length,
      'median ms': Math.round(median(gaps)),
      'least ms': Math.round(Math.min(...gaps)),
      'most ms': Math.round(Math.max(...gaps)),
    })),
  );
  const measures = Object.entries(kinds).map(([name, outcomes]) => {
    const value = Math.round(median(outcomes.map(addedMs)));
    return { measure: `${name}_added_ms`, value, unit: 'ms', aim: 150, better: 'lower' as const };
  });
  const compared = { unit: 'ms', better: 'lower' as const };
  addMeasures('operations', [
    ...measures,
    { measure: 'live_move_silent_ms', value: middle.ours, aim: null, ...compared },
    { measure: 'live_move_by_hand_silent_ms', value: middle.byHand, aim: null, ...compared },
    { measure: 'live_move_added_downtime_ms', value: middle.ours - middle.byHand, aim: 0, ...compared },
  ]);
});
