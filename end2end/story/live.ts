// A live move on its way, as its source's libvirtd tells of it: how fast it goes, how far it is, what it is allowed, and
// what is refused meanwhile.

import { execFile } from 'node:child_process';
import { expect } from '@playwright/test';
import type { Lab } from './lab';

export interface Moving {
  lab: Lab;
  vm: string;
  source: string;
}

/** So fast it goes, in MiB a second: its memory from now on, its disk only where that is not on its way yet. */
export function speed({ lab, vm, source }: Moving, mib: number): void {
  lab.virsh(source, 'migrate-setspeed', vm, String(mib));
}

/** Less than libvirt's smallest: so many KiB a second, of its memory, from now on. */
export function crawl({ lab, vm, source }: Moving, kib: number): void {
  lab.virsh(source, 'qemu-monitor-command', vm, '--hmp', `migrate_set_parameter max-bandwidth ${kib}K`);
}

/** Waits for the round in which its memory is carried, as slowly as that; its disk is carried quickly before. */
export async function carriesMemory(moving: Moving, mib: number, rounds = 1): Promise<void> {
  // What is set before its disk is on its way is for the disk too.
  const poll = { timeout: 30_000, intervals: [100] };
  await expect.poll(() => job(moving), { message: 'its disk is carried', ...poll }).toMatch(/^File total|^Iteration/m);
  speed(moving, mib);
  await expect.poll(() => round(moving), { message: 'its memory is carried', ...poll }).toBeGreaterThanOrEqual(rounds);
}

/** The round in which its memory is carried; none while it is its disk, and where nothing moves. */
export function round(moving: Moving): number {
  return Number(/^Iteration:\s+(\d+)/m.exec(job(moving))?.[1] ?? 0);
}

/** How much of its memory was carried, as libvirt words it. */
export function job({ lab, vm, source }: Moving): string {
  return lab.virsh(source, 'domjobinfo', vm);
}

/** How long its guest may stand still at the end, in milliseconds. */
export function allowed({ lab, vm, source }: Moving): number {
  return Number(lab.virsh(source, 'migrate-getmaxdowntime', vm));
}

/** Asks its source for something else meanwhile, for as long as that waits; what it said, and whether it was done. */
export function meanwhile({ lab, vm, source }: Moving, command: string, ...words: string[]): Promise<{ done: boolean; said: string }> {
  return new Promise((answer) => {
    execFile('virsh', ['-q', '-c', lab.node(source).uri, command, vm, ...words], { timeout: 90_000 }, (error, out, err) =>
      answer({ done: error === null, said: out + err }),
    );
  });
}
