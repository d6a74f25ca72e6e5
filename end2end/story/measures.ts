// What a bench leaves behind: `target/bench/NAME.json` under the repository's root, or in HOSTGRID_BENCH_DIR. The same
// shape as grid/benches/shared/measures.rs writes.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Measure {
  measure: string;
  value: number;
  unit: string;
  /** None where the figure is for comparison only. */
  aim: number | null;
  better: 'lower' | 'higher';
}

const benches = () => process.env.HOSTGRID_BENCH_DIR ?? resolve(__dirname, '..', '..', 'target', 'bench');

/** Writes measures beside those of other names that the file has already; its path. */
export function addMeasures(bench: string, measures: Measure[], directory = benches()): string {
  const file = join(directory, `${bench}.json`);
  const there: Measure[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const names = new Set(measures.map(({ measure }) => measure));
  return writeMeasures(bench, [...there.filter(({ measure }) => !names.has(measure)), ...measures], directory);
}

/** Writes the measures; the file's path. */
export function writeMeasures(bench: string, measures: Measure[], directory = benches()): string {
  for (const { measure, value, unit, aim } of measures) {
    const isOne = measure && unit && Number.isFinite(value) && (aim === null || Number.isFinite(aim));
    if (!isOne) throw new Error(`${bench}: this is no measure: ${measure} ${value} ${unit} ${aim}`);
  }
  const names = new Set(measures.map(({ measure }) => measure));
  if (names.size === 0 || names.size < measures.length) throw new Error(`${bench}: no measures, or two of one name`);
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${bench}.json`);
  writeFileSync(file, `${JSON.stringify(measures, null, 2)}\n`);
  return file;
}
