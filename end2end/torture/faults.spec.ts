// What else dies, or is cut off, in the middle of a move on real nodes: QEMU, libvirtd or the utility VM at either end; the
// network between the two ends, and between either and the server. Whatever the end of it, the VM is there once, with its data.

import { heard } from '../story/guest';
import type { Lab } from '../story/lab';
import { promisesKept } from '../story/promises';
import { ready, type Scene, scene, slow, standStill } from '../story/scene';
import { expect, needsRealNodes, test } from '../story/test';

type End = 'source' | 'destination';
/** Hits it; answers what mends it again, where it does not mend itself. */
type Fault = (lab: Lab, it: Scene) => (() => void) | undefined;

const qemuKilled = (end: End): Fault => (lab, it) => {
  // At the destination it is there a moment after the move has begun.
  const kill = `until pkill -KILL -f "^[^ ]*qemu.*$1"; do sleep 0.1; done`;
  lab.inside(it[end], 'timeout', '20', 'sh', '-c', kill, 'sh', it.vm);
};
/** What started it starts it again, as a service manager would. */
const libvirtdKilled = (end: End): Fault => (lab, it) =>
  void lab.inside(it[end], 'sh', '-c', 'kill -KILL "$(cat /run/libvirt/libvirtd.pid)"');
const utilityDestroyed = (end: End): Fault => (lab, it) => void lab.virsh(it[end], 'destroy', 'hostgrid-utility');
const apart: Fault = (lab, it) => cut(lab, it.source, lab.addresses(it.destination));
const serverCut = (end: End): Fault => (lab, it) => cut(lab, it[end], [lab.managerAddress]);

/** For a minute, which is longer than its lease lasts: what it had asked for goes on meanwhile. */
const serverStandsStill: Fault = (lab) => {
  lab.signalServer('SIGSTOP');
  return () => lab.signalServer('SIGCONT');
};

/** Nothing from these addresses reaches the node or its utility VM. */
function cut(lab: Lab, node: string, addresses: string[]): () => void {
  const rules = addresses.map((address) => `add rule netdev cut cut ip saddr ${address} drop`);
  const chain = 'add chain netdev cut cut { type filter hook ingress device mgmt0 priority 0; }';
  lab.inside(node, 'sh', '-c', `printf '%s\\n' "$@" | nft -f -`, 'sh', 'add table netdev cut', chain, ...rules);
  return () => void lab.inside(node, 'nft', 'delete', 'table', 'netdev', 'cut');
}

const live: [string, Fault][] = [
  ['its QEMU is killed where it runs', qemuKilled('source')],
  ['its QEMU is killed where it goes', qemuKilled('destination')],
  ["the source's libvirtd is killed", libvirtdKilled('source')],
  ["the destination's libvirtd is killed", libvirtdKilled('destination')],
  ['the two ends are cut off from each other', apart],
  ['the server is cut off from the source', serverCut('source')],
  ['the server is cut off from the destination', serverCut('destination')],
  ['the server stands still', serverStandsStill],
];
const cold: [string, Fault][] = [
  ["the source's utility VM is destroyed", utilityDestroyed('source')],
  ["the destination's utility VM is destroyed", utilityDestroyed('destination')],
  ["the source's libvirtd is killed", libvirtdKilled('source')],
  ["the destination's libvirtd is killed", libvirtdKilled('destination')],
  ['the server is cut off from the source', serverCut('source')],
  ['the server is cut off from the destination', serverCut('destination')],
  ['the server stands still', serverStandsStill],
];

for (const [plan, name, faults] of [['move-live', 'shop', live], ['move-cold', 'catalogue', cold]] as const) {
  for (const [what, fault] of faults) {
    test(`${plan}: ${what}`, async ({ admin, as, lab }) => {
      needsRealNodes(lab);
      test.setTimeout(600_000);
      const it = await scene(name, admin, as, lab);
      let mend: (() => void) | undefined;
      try {
        expect(it.plan).toBe(plan);
        const goOn = plan === 'move-live' ? slow(it) : standStill(lab, it.destination);
        try {
          await it.owner.agree();
          await expect(it.owner.underWay(plan === 'move-live' ? 'migrate-live' : 'copy-disk')).toBeVisible();
          mend = fault(lab, it);
        } finally {
          // Its libvirtd may be about to be back; or the process that stood still is gone.
          await expect(goOn).toPass({ timeout: 5_000 }).catch(() => {});
        }
        // Longer than any keepalive; then a cut is over.
        const ended = await it.owner.outcome(60).catch(() => undefined);
        mend?.();
        mend = undefined;
        const { word } = ended ?? (await it.owner.outcome(240));
        const reason = word === 'Succeeded' ? '' : await it.owner.page.locator('.outcome-reason').first().innerText();
        console.log(`  ${plan}, ${what}: ${word}${ended ? '' : ' once it was mended'} ${reason}`);
      } finally {
        mend?.();
        await it.giveBack();
      }
      for (const node of [it.source, it.destination]) await ready(admin, node);
      await isThereOnce(it, plan === 'move-live' && what !== 'its QEMU is killed where it runs');
    });
  }
}

/** At one of the nodes, running, or off because its process was killed; started again it has its data. */
async function isThereOnce(it: Awaited<ReturnType<typeof scene>>, sameBoot: boolean): Promise<void> {
  const { lab, owner, vm, source, destination, before } = it;
  await expect.poll(() => lab.whereabouts(vm).length, { timeout: 90_000 }).toBe(1);
  const home = lab.home(vm);
  const other = home === source ? destination : source;
  const files = () => lab.poolFiles(other).filter((file) => file.includes(vm));
  await expect.poll(files, { message: `what ${other} still has`, timeout: 90_000 }).toEqual([]);
  if (lab.virsh(home, 'domstate', vm) !== 'running') {
    expect(sameBoot, 'it need not have stopped').toBe(false);
    await expect(async () => {
      await owner.open(`/vms/${vm}`);
      await expect(owner.button('Start')).toBeVisible({ timeout: 500 });
    }).toPass({ timeout: 60_000 });
    await owner.order(vm, 'Start');
    // What its console holds of before is no answer.
    await expect.poll(() => heard(lab, vm)?.boot_id, { timeout: 90_000 }).not.toBe(before.boot_id);
  }
  const kept = sameBoot ? { boot_id: before.boot_id } : {};
  await expect.poll(() => heard(lab, vm), { timeout: 90_000 }).toMatchObject({ data: before.data, ...kept });
  await promisesKept(lab);
  // The next one is to find it as this one did.
  if ((await owner.sizeOf(vm)).memory_mib !== before.memory_mib) await owner.resize(vm, { memory_mib: before.memory_mib });
}
