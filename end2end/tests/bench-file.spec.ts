import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addMeasures, type Measure, writeMeasures } from '../story/measures';
import { expect, test } from '../story/test';

test('the bench leaves an array of measures behind, and nothing that could be compared with nothing', () => {
  const folder = mkdtempSync('/var/tmp/hostgrid-bench.');
  const one: Measure = { measure: 'move_live_s', value: 1.5, unit: 's', aim: 3, better: 'lower' };
  try {
    for (const wrong of [[], [one, one], [{ ...one, value: Number.NaN }], [{ ...one, unit: '' }], [{ ...one, measure: '' }]]) {
      expect(() => writeMeasures('some', wrong, folder)).toThrow('some: ');
    }
    expect(readdirSync(folder)).toEqual([]);
    const more: Measure = { ...one, measure: 'share', aim: null, better: 'higher' };
    const file = writeMeasures('some', [one, more], join(folder, 'new'));
    expect(file).toBe(join(folder, 'new', 'some.json'));
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([one, more]);
    const other: Measure = { ...one, measure: 'added_ms', value: 90 };
    addMeasures('some', [{ ...one, value: 2 }, other], join(folder, 'new'));
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([more, { ...one, value: 2 }, other]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
