// What has to be true after a resize, whatever its plan was: told by the hypervisors, the nodes' own files, the guest and
// a ping from the customers' network, and by nothing that Hostgrid says, except the downtime, which is held against them.

import { expect } from '@playwright/test';
import { configured, heard, heartbeat, type Heartbeat } from './guest';
import { found, type Lab, type Ping, type Size } from './lab';
import type { Outcome, Panel } from './panel';

/** A running VM before it is changed, and the ping that goes on meanwhile. */
export interface Before {
  vm: string;
  node: string;
  beat: Heartbeat;
  ping: Ping;
}

export function lookBefore(lab: Lab, vm: string): Before {
  const beat = heartbeat(lab, vm);
  return { vm, node: lab.home(vm), beat, ping: lab.ping(beat.address) };
}

/**
 * Verifies that the VM is where its plan puts it, and only there; at its size, running and at its next start; with its
 * data and its address; and, where it runs, that the loss of ping is the downtime that the operation tells.
 */
export async function verifyAfter(
  lab: Lab,
  before: Before,
  outcome: Outcome,
  size: Size,
  state: 'running' | 'shut off' = 'running',
): Promise<void> {
  const { vm, beat } = before;
  const plan = found(outcome.plan, "the operation's plan");
  const home = lab.home(vm);
  expect(tracesOn(lab, home, vm), `what ${home} has of it`).not.toEqual([]);
  if (plan.startsWith('move')) {
    expect(lab.others(before.node).map((node) => node.name), plan).toContain(home);
    expect(tracesOn(lab, before.node, vm), `what ${before.node} still has of it`).toEqual([]);
  } else {
    expect(home, plan).toBe(before.node);
  }
  verifyConfiguration(lab, home, vm, size, beat, state);
  if (state === 'shut off') return;

  const restarted = plan.includes('restart') || plan === 'move-cold';
  await verifyGuest(lab, before, size, restarted);
  const asked = Date.now();
  await expect.poll(() => before.ping.answers().at(-1) ?? 0, { message: 'it answers ping' }).toBeGreaterThan(asked);
  const { longestGapMs, output } = await before.ping.stop();
  const told = found(outcome.downtimeMs, 'the downtime that the operation tells');
  const apart = `${plan}: told ${told} ms, no answer to ping for ${Math.round(longestGapMs)} ms`;
  console.log(`  ${apart}`);
  expect(Math.abs(longestGapMs - told), `${apart}\n${output.slice(-4000)}`).toBeLessThan(restarted ? 1_000 : 500);
}

/** The guest sees its size, and has kept its data and its address; its boot id tells whether it was restarted. */
export async function verifyGuest(lab: Lab, before: Before, size: Size, restarted: boolean): Promise<void> {
  const { boot_id, data, mac, address, name } = before.beat;
  const booted = restarted ? { boot_id: expect.not.stringMatching(boot_id) } : { boot_id };
  await expect
    .poll(() => heard(lab, before.vm), { message: 'what the guest sees', timeout: 60_000 })
    .toMatchObject({ ...size, data, mac, address, name, ...booted });
}

/** A VM that nothing was done to after all: it runs where it did, at this size, and was never restarted. */
export async function verifyRuns(lab: Lab, before: Before, size: Size): Promise<void> {
  verifyConfiguration(lab, before.node, before.vm, size, before.beat, 'running');
  const { seq } = heartbeat(lab, before.vm);
  await expect.poll(() => heard(lab, before.vm)?.seq ?? 0, { message: 'its heart beats' }).toBeGreaterThan(seq);
  await verifyGuest(lab, before, size, false);
}

/**
 * Its guest starts anew, is reset, and is ended and started by its hypervisor, none of which asks Hostgrid: what it comes back
 * with is what its size was when it moved or grew.
 */
export async function verifyStartsAnew(lab: Lab, before: Before, size: Size): Promise<void> {
  const { vm } = before;
  const home = lab.home(vm);
  for (const words of [['reboot'], ['reset'], ['destroy', 'start']]) {
    const running = { ...before, beat: heartbeat(lab, vm) };
    for (const word of words) lab.virsh(home, word, vm);
    await verifyGuest(lab, running, size, true);
    verifyConfiguration(lab, home, vm, size, before.beat, 'running');
  }
}

/** Switches it off and on by its page: what starts is what was installed. */
export async function verifyPowerOff(lab: Lab, owner: Panel, before: Before, size: Size): Promise<void> {
  const { vm } = before;
  const home = lab.home(vm);
  const running = { ...before, beat: heartbeat(lab, vm) };
  await owner.order(vm, 'Stop');
  verifyConfiguration(lab, home, vm, size, before.beat, 'shut off');
  expect(await owner.sizeOf(vm)).toEqual(size);
  await owner.order(vm, 'Start');
  expect(lab.home(vm)).toBe(home);
  await verifyGuest(lab, running, size, true);
}

/** All that a node has of a VM: its definition, its processes, its mounts, and its files, the console's log among them. */
export function tracesOn(lab: Lab, node: string, vm: string): string[] {
  const script = `virsh -q list --all --uuid | grep -F "$VM"
    pgrep -af "$VM"
    grep -F "$VM" /proc/mounts
    find /var/lib/hostgrid/pool | grep -F "$VM"
    true`;
  return lab.inside(node, 'env', `VM=${vm}`, `LIBVIRT_DEFAULT_URI=${lab.node(node).uri}`, 'sh', '-c', script).split('\n').filter(Boolean);
}

/** The hypervisor's configuration, running and persistent, and the length of the disk. */
function verifyConfiguration(lab: Lab, node: string, vm: string, size: Size, beat: Heartbeat, state: string): void {
  const { disk_gib, ...held } = size;
  expect(lab.virsh(node, 'domstate', vm)).toBe(state);
  for (const which of state === 'running' ? (['live', 'inactive'] as const) : (['inactive'] as const)) {
    expect(configured(lab, node, vm, which), which).toEqual(held);
    const xml = lab.virsh(node, 'dumpxml', vm, ...(which === 'inactive' ? ['--inactive'] : []));
    expect(xml, which).toContain(`<mac address='${beat.mac}'/>`);
    expect(xml, which).toContain(`<parameter name='IP' value='${beat.address}'/>`);
  }
  const disk = `/var/lib/hostgrid/pool/${vm}.raw`;
  expect(Number(lab.inside(node, 'stat', '-c', '%s', disk)), disk).toBe(disk_gib * 2 ** 30);
  if (/^kvm|^qemu/.test(lab.node(node).kind)) {
    expect(lab.virsh(node, 'domblkinfo', vm, 'vda'), 'as its hypervisor sees it').toMatch(
      new RegExp(`Capacity:\\s+${disk_gib * 2 ** 30}$`, 'm'),
    );
  }
}
