// A move that is hit in the middle: by a pool that fills, a libvirtd that hangs, a node that dies, a server that is
// killed. Each ends with its reason, and the VM runs once, where the last page says.

import { heard, heartbeat } from '../story/guest';
import { found, type Lab } from '../story/lab';
import type { Panel } from '../story/panel';
import { fillMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';

interface Scene {
  lab: Lab;
  owner: Panel;
  vm: string;
  source: string;
  destination: string;
}

/** A VM whose growth needs another node, with its plan on the page, about to be agreed to. */
async function scene(name: string, admin: Panel, as: (email: string) => Promise<Panel>, lab: Lab) {
  const { id: vm, owner: email } = lab.vm(name);
  const owner = await as(email);
  const source = lab.home(vm);
  const destination = found(lab.others(source)[0], 'another node of its kind').name;
  const size = await owner.sizeOf(vm);
  const before = heartbeat(lab, vm);
  const giveBack = await fillMemory(admin, source);
  const plan = await owner.preview(vm, { memory_mib: size.memory_mib + 128 });
  return { lab, owner, vm, source, destination, before, giveBack, plan };
}

/** It runs once, where the operation's end says, with its disk, and the other node has nothing of it. */
async function runsWhereItEnded({ lab, vm, source, destination }: Scene, word: string): Promise<void> {
  const [home, other] = word === 'Succeeded' ? [destination, source] : [source, destination];
  await expect.poll(() => lab.whereabouts(vm), { timeout: 60_000 }).toEqual([home]);
  await expect.poll(() => lab.virsh(home, 'domstate', vm), { timeout: 60_000 }).toBe('running');
  expect(lab.poolFiles(home).some((file) => file.includes(vm))).toBe(true);
  await expect.poll(() => lab.poolFiles(other).filter((file) => file.includes(vm)), { timeout: 60_000 }).toEqual([]);
}

/** Nothing was lost: it runs at its source, unchanged, and the other node has nothing of it. */
async function runsWhereItWas(scene: Scene): Promise<void> {
  await runsWhereItEnded(scene, 'Undone');
}

async function ready(admin: Panel, node: string): Promise<void> {
  await expect(async () => {
    await admin.open(`/admin/nodes/${node}`);
    await expect(admin.page.locator('h1')).toContainText(/ready/i, { timeout: 500 });
  }).toPass({ timeout: 90_000, intervals: [1000] });
}

/** Something else takes all that a pool has left; answers what gives it back. */
function fillPool(lab: Lab, node: string): () => void {
  const filler = '/var/lib/hostgrid/pool/filler';
  const most = `$(($(df --output=avail -B 1 /var/lib/hostgrid/pool | tail -n 1) - 16777216))`;
  const rest = `dd if=/dev/zero of=${filler}-rest bs=64k || true`;
  lab.inside(node, 'sh', '-c', `fallocate -l ${most} ${filler}; (${rest}) 2>/dev/null`);
  return () => void lab.inside(node, 'rm', '-f', filler, `${filler}-rest`);
}

for (const [name, plan] of [
  ['catalogue', 'move-cold'],
  ['shop', 'move-live'],
] as const) {
  test(`a pool that fills during a ${plan} to it: undone, with the reason`, async ({ admin, as, lab }) => {
    needsRealNodes(lab);
    const it = await scene(name, admin, as, lab);
    let giveBackPool = () => {};
    try {
      expect(it.plan).toBe(plan);
      await it.owner.agree();
      // The room was there when it was agreed to.
      giveBackPool = fillPool(lab, it.destination);
      const outcome = await it.owner.outcome(150);
      expect(outcome.word, await it.owner.said()).toBe('Undone');
      expect(await it.owner.said()).toMatch(/pool|space|room|full/i);
    } finally {
      giveBackPool();
      await it.giveBack();
    }
    await runsWhereItWas(it);
    const kept = plan === 'move-live' ? { boot_id: it.before.boot_id } : {};
    await expect.poll(() => heard(lab, it.vm), { timeout: 60_000 }).toMatchObject({ data: it.before.data, ...kept });
  });
}

test('a pool that fills while a VM is deployed to it: undone, with the reason, and nothing is left', async ({ as, lab }) => {
  needsRealNodes(lab);
  const nodes = lab.nodes.map(({ name }) => name).filter((name) => name.startsWith('lxc'));
  const owner = await as(lab.vm('catalogue').owner);
  const files = () => nodes.flatMap((node) => lab.poolFiles(node)).filter((file) => /[0-9a-f-]{36}/.test(file));
  const before = files();
  const name = `late-${test.info().retry}`;
  const modules = (signal: string) => {
    for (const node of nodes) lab.inside(node, 'pkill', `-${signal}`, '-f', '^/proc/self/exe worker');
  };
  const giveBack: (() => void)[] = [];
  try {
    await owner.open('/vms/new');
    await owner.field('Name').fill(name);
    await owner.page.getByLabel('Image').selectOption('tiny-container');
    await owner.page.getByLabel('Offer').selectOption({ index: 0 });
    // What makes the disk stands still until the room that was there has gone.
    modules('STOP');
    await owner.button('Deploy').click();
    await owner.operationOpened();
    for (const node of nodes) giveBack.push(fillPool(lab, node));
    modules('CONT');
    expect((await owner.outcome(150)).word, await owner.said()).toBe('Undone');
    expect(await owner.said()).toMatch(/pool|space|room|full/i);
  } finally {
    modules('CONT');
    for (const undo of giveBack) undo();
  }
  await expect.poll(files, { message: 'what is in the pools', timeout: 30_000 }).toEqual(before);
  // What there is no VM of is still listed, as failed, until its owner deletes it.
  await owner.open('/vms');
  const link = owner.page.locator('main a[href^="/vms/"]', { hasText: name });
  await expect(owner.page.locator('main tr', { hasText: name })).toContainText('Failed');
  await owner.remove(found(/[0-9a-f-]{36}/.exec((await link.getAttribute('href')) ?? ''), 'its id')[0]);
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await owner.open('/vms');
  await expect(link).toHaveCount(0);
});

test('a libvirtd that hangs while a VM moves there: it ends with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    lab.command('hang', it.destination);
    await it.owner.agree();
    const outcome = await it.owner.outcome(170);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer/i);
    expect(lab.virsh(it.source, 'domstate', it.vm)).toBe('running');
  } finally {
    lab.command('unhang', it.destination);
    await it.giveBack();
  }
  await ready(admin, it.destination);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
});

test('a node that dies while a VM moves there: it ends with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  // What was made on the dead node is looked for, for minutes, before it is left there.
  test.setTimeout(400_000);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    await it.owner.agree();
    lab.command('kill', it.destination);
    const outcome = await it.owner.outcome(300);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer/i);
    expect(lab.virsh(it.source, 'domstate', it.vm)).toBe('running');
  } finally {
    lab.command('start', it.destination);
    await it.giveBack();
  }
  await ready(admin, it.destination);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
});

test('a libvirtd that hangs while a VM moves away from it: it waits until its node answers again', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  test.setTimeout(400_000);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    lab.command('hang', it.source);
    await it.owner.agree();
    // Nobody can tell where the VM runs: nothing is started, and nothing is taken away.
    const waits = it.owner.page.getByRole('status').filter({ hasText: 'Waiting for the operator' });
    await expect(waits, await it.owner.said()).toBeVisible({ timeout: 240_000 });
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText('not known where the VM runs');
    lab.command('unhang', it.source);
    const outcome = await it.owner.outcome(60);
    await ready(admin, it.source);
    await runsWhereItEnded(it, outcome.word);
    await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
  } finally {
    lab.command('unhang', it.source);
    await it.giveBack();
  }
});

test('a node that dies while a VM moves away from it: the VM runs again where its disk is', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  test.setTimeout(400_000);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    await it.owner.agree();
    lab.command('kill', it.source);
    lab.command('start', it.source);
    const outcome = await it.owner.outcome(300);
    expect(outcome.word, await it.owner.said()).not.toBe('Succeeded');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer|domain/i);
  } finally {
    await it.giveBack();
  }
  await ready(admin, it.source);
  await runsWhereItWas(it);
  // What its console holds of before is no answer: it was started anew.
  const again = { data: it.before.data, boot_id: expect.not.stringMatching(it.before.boot_id) };
  await expect.poll(() => heard(lab, it.vm), { timeout: 90_000 }).toMatchObject(again);
});

for (const [name, plan] of [
  ['shop', 'move-live'],
  ['catalogue', 'move-cold'],
] as const) {
  test(`a server that is killed during a ${plan} goes on with it`, async ({ admin, as, lab, allow }) => {
    needsRealNodes(lab);
    // The page's stream breaks with its server.
    allow(/Failed to load resource|ERR_|network error|EventSource/i);
    const it = await scene(name, admin, as, lab);
    try {
      expect(it.plan).toBe(plan);
      const operation = await it.owner.agree();
      lab.killServer();
      await expect(async () => {
        expect((await fetch(new URL('/readyz', lab.url))).status).toBe(200);
      }).toPass({ timeout: 60_000, intervals: [300] });
      await it.owner.open(`/operations/${operation}`);
      const outcome = await it.owner.outcome(150);
      await runsWhereItEnded(it, outcome.word);
      const kept = plan === 'move-live' ? { boot_id: it.before.boot_id } : {};
      await expect
        .poll(() => heard(lab, it.vm), { timeout: 60_000 })
        .toMatchObject({ data: it.before.data, mac: it.before.mac, ...kept });
    } finally {
      await it.giveBack();
    }
  });
}
