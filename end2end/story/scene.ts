// A VM whose growth needs another node, for what is hit in the middle of it; and where it must be found afterwards.

import { expect } from '@playwright/test';
import { heard, heartbeat } from './guest';
import { found, type Lab } from './lab';
import type { Panel } from './panel';
import { fillMemory } from './room';

export interface Scene {
  lab: Lab;
  owner: Panel;
  vm: string;
  source: string;
  destination: string;
}

/** A VM whose growth needs another node, with its plan on the page, about to be agreed to. */
export async function scene(name: string, admin: Panel, as: (email: string) => Promise<Panel>, lab: Lab) {
  const { id: vm, owner: email } = lab.vm(name);
  const owner = await as(email);
  const source = lab.home(vm);
  const destination = found(lab.others(source)[0], 'another node of its kind').name;
  const size = await owner.sizeOf(vm);
  await expect.poll(() => heard(lab, vm), { message: 'it has booted', timeout: 60_000 }).toBeTruthy();
  const before = heartbeat(lab, vm);
  const giveBack = await fillMemory(admin, source);
  const plan = await owner.preview(vm, { memory_mib: size.memory_mib + 128 });
  return { lab, owner, vm, source, destination, before, giveBack, plan };
}

/** A machine whose growth needs a live move, and a container whose growth needs a cold one: on nodes of their own. */
export async function both(admin: Panel, as: (email: string) => Promise<Panel>, lab: Lab) {
  const [live, cold] = [await scene('shop', admin, as, lab), await scene('catalogue', admin, as, lab)];
  expect([live.plan, cold.plan]).toEqual(['move-live', 'move-cold']);
  const giveBack = async () => {
    for (const it of [live, cold]) await it.giveBack();
  };
  return { live, cold, giveBack };
}

/** It runs once, where the operation's end says, with its disk, and the other node has nothing of it. */
export async function runsWhereItEnded({ lab, vm, source, destination }: Scene, word: string): Promise<void> {
  const [home, other] = word === 'Succeeded' ? [destination, source] : [source, destination];
  await expect.poll(() => lab.whereabouts(vm), { timeout: 60_000 }).toEqual([home]);
  await expect.poll(() => lab.virsh(home, 'domstate', vm), { timeout: 60_000 }).toBe('running');
  expect(lab.poolFiles(home).some((file) => file.includes(vm))).toBe(true);
  await expect.poll(() => lab.poolFiles(other).filter((file) => file.includes(vm)), { timeout: 60_000 }).toEqual([]);
}

/** Nothing was lost: it runs at its source, unchanged, and the other node has nothing of it. */
export async function runsWhereItWas(scene: Scene): Promise<void> {
  await runsWhereItEnded(scene, 'Undone');
}

export async function ready(admin: Panel, node: string): Promise<void> {
  await expect(async () => {
    await admin.open(`/admin/nodes/${node}`);
    await expect(admin.page.locator('h1')).toContainText(/ready/i, { timeout: 500 });
  }).toPass({ timeout: 90_000, intervals: [1000] });
}

/** Something else takes all that a pool has left; answers what gives it back. */
export function fillPool(lab: Lab, node: string): () => void {
  const filler = '/var/lib/hostgrid/pool/filler';
  const most = `$(($(df --output=avail -B 1 /var/lib/hostgrid/pool | tail -n 1) - 16777216))`;
  const rest = `dd if=/dev/zero of=${filler}-rest bs=64k || true`;
  lab.inside(node, 'sh', '-c', `fallocate -l ${most} ${filler}; (${rest}) 2>/dev/null`);
  return () => void lab.inside(node, 'rm', '-f', filler, `${filler}-rest`);
}

/** Has a node's utility module stop in the middle of what it does; answers what lets it go on. */
export function standStill(lab: Lab, node: string): () => void {
  // A container's is a process of the node; a machine's waits for what serves it the pool.
  const process = lab.node(node).kind === 'lxc' ? '^/proc/self/exe worker' : '^[^ ]*virtiofsd ';
  const signal = (name: string) => `pkill -${name} -f '${process}'`;
  lab.inside(node, 'sh', '-c', signal('STOP'));
  // It may have been started anew meanwhile.
  return () => void lab.inside(node, 'sh', '-c', `${signal('CONT')} || true`);
}

/** Has a live move take its time; answers what lets it go on. It may have ended by then. */
export function slow({ lab, source, vm }: Scene): () => void {
  // From inside the node, which may be cut off by then.
  const virsh = (...words: string[]) => lab.inside(source, 'virsh', '-q', '-c', 'qemu:///system', ...words);
  const speed = (mib: number) => void virsh('migrate-setspeed', vm, String(mib));
  // Half a minute: the copy of its disk keeps the speed that it has begun with.
  speed(32);
  return () => {
    if (virsh('domstate', vm) === 'running') speed(10_000);
  };
}

/** Until a server that was killed answers again. */
export async function isBack(lab: Lab): Promise<void> {
  await expect(async () => {
    expect((await fetch(new URL('/readyz', lab.url))).status).toBe(200);
  }).toPass({ timeout: 60_000, intervals: [300] });
}
