// A live move by hand, as an administrator does it with `virsh`: what Hostgrid's own moves are held against.

import { expect } from '@playwright/test';
import { heartbeat } from '../story/guest';
import { found, type Lab } from '../story/lab';
import type { Panel } from '../story/panel';

const POOL = '/var/lib/hostgrid/pool';

/** How long at most the machine gives no answer to the customers' network meanwhile, in milliseconds. */
export async function silentMs(lab: Lab, vm: string, meanwhile: () => Promise<unknown>): Promise<number> {
  const ping = lab.ping(heartbeat(lab, vm).address);
  await expect.poll(() => ping.answers().length, { timeout: 20_000 }).toBeGreaterThan(5);
  await meanwhile();
  return (await ping.stop()).longestGapMs;
}

/** Moves it to another node of its kind and back, and leaves nothing there. */
export async function moveByHand(admin: Panel, lab: Lab, vm: string): Promise<void> {
  const source = lab.home(vm);
  const destination = found(lab.others(source)[0], 'another node of its kind').name;
  const files = [`${POOL}/${vm}.raw`, `${POOL}/${vm}.seed`];
  for (const file of files) {
    const bytes = lab.inside(source, 'stat', '-c', '%s', file).trim();
    lab.inside(destination, 'truncate', '-s', bytes, file);
  }
  const words = ['migrate', '--live', '--p2p', '--persistent', '--undefinesource', '--copy-storage-all', '--auto-converge'];
  for (const [from, to] of [[source, destination], [destination, source]]) {
    // Its process may not be started anew under the limit of its memory.
    lab.virsh(from, 'memtune', vm, '--hard-limit', '-1', '--live');
    lab.virsh(from, ...words, vm, lab.node(to).uri);
  }
  lab.inside(destination, 'rm', '-f', ...files);
  // Hostgrid had lost sight of it.
  await expect(async () => {
    await admin.open(`/vms/${vm}`);
    await expect(admin.page.locator('h1')).toContainText('Running', { timeout: 500 });
  }).toPass({ timeout: 60_000, intervals: [1000] });
}
