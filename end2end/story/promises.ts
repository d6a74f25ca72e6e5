// `hostgrid check`: whether every promise of ARCHITECTURE.md is kept, as the program that reads hypervisors and store says.

import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect } from '@playwright/test';
import type { Lab } from './lab';

/** Until every promise is kept: what is left of a move may still be about to be removed. */
export async function promisesKept(lab: Lab): Promise<void> {
  const target = process.env.CARGO_TARGET_DIR ?? resolve(__dirname, '../../target');
  const words = ['check', '--config', join(lab.state, 'hostgrid.toml')];
  const check = () => execFileSync(join(target, 'debug', 'hostgrid'), words, { encoding: 'utf8', stdio: 'pipe' });
  await expect(check).toPass({ timeout: 90_000, intervals: [2000] });
}
