// A move, or a deployment, that is hit in the middle: by a pool that fills, a libvirtd that hangs, a node that dies. Each
// ends with its reason, and the VM runs once, where the last page says.

import { heard } from '../story/guest';
import type { Panel } from '../story/panel';
import { hasRoomAgain } from '../story/room';
import { both, fillPool, ready, runsWhereItWas, scene, slow, standStill } from '../story/scene';
import { expect, needsRealNodes, test } from '../story/test';
import { verifyAfter, verifyGuest } from '../story/verify';

test('pools that fill while VMs move to them: undone, with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const { live, cold, giveBack } = await both(admin, as, lab);
  const giveBackPools: (() => void)[] = [];
  try {
    for (const it of [live, cold]) {
      await it.owner.agree();
      // The room was there when it was agreed to.
      giveBackPools.push(fillPool(lab, it.destination));
    }
    for (const { owner } of [live, cold]) {
      expect((await owner.outcome(150)).word, await owner.said()).toBe('Undone');
      expect(await owner.said()).toMatch(/pool|space|room|full/i);
    }
  } finally {
    for (const giveBackPool of giveBackPools) giveBackPool();
    await giveBack();
  }
  for (const it of [live, cold]) {
    await runsWhereItWas(it);
    const kept = it === live ? { boot_id: it.before.boot_id } : {};
    await expect.poll(() => heard(lab, it.vm), { timeout: 60_000 }).toMatchObject({ data: it.before.data, ...kept });
  }
});

test('pools that fill while VMs are deployed to them: undone, with the reason, and nothing is left', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const nodes = lab.nodes.map(({ name }) => name);
  const files = () => nodes.flatMap((node) => lab.poolFiles(node)).filter((file) => /[0-9a-f-]{36}/.test(file));
  const before = files();
  // The pools may have been full until now, and nothing is told of them while they stand still.
  for (const node of nodes) await hasRoomAgain(admin, node);
  const deployments: { owner: Panel; name: string }[] = [];
  const goOn: (() => void)[] = [];
  const giveBack: (() => void)[] = [];
  try {
    // What makes the disks stands still until the room that was there has gone.
    for (const node of nodes) goOn.push(standStill(lab, node));
    for (const image of ['tiny-container', 'tiny']) {
      const owner = await as(lab.vm('catalogue').owner);
      const name = `late-${image}-${test.info().retry}`;
      await owner.orderDeploy(name, image);
      await owner.operationOpened();
      deployments.push({ owner, name });
    }
    for (const node of nodes) giveBack.push(fillPool(lab, node));
    for (const each of goOn.splice(0)) each();
    for (const { owner, name } of deployments) {
      expect((await owner.outcome(150)).word, `${name}: ${await owner.said()}`).toBe('Undone');
      expect(await owner.said()).toMatch(/pool|space|room|full/i);
    }
  } finally {
    for (const each of [...goOn, ...giveBack]) each();
  }
  await expect.poll(files, { message: 'what is in the pools', timeout: 30_000 }).toEqual(before);
  // Guests that could not write meanwhile are let go on.
  const paused = () => nodes.map((node) => lab.virsh(node, 'list', '--name', '--state-paused')).join('');
  await expect.poll(paused, { message: 'guests that stand still', timeout: 90_000 }).toBe('');
  for (const { owner, name } of deployments) await removeFailed(owner, name);
});

test('a move that its owner cancels while the disk is carried: taken back, and the VM runs where it was', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const it = await scene('catalogue', admin, as, lab);
  try {
    expect(it.plan).toBe('move-cold');
    const goOn = standStill(lab, it.destination);
    try {
      await it.owner.agree();
      // A button that is made anew by each news of a step loses a click that falls into it.
      const cancel = it.owner.button('Cancel');
      await cancel.evaluate((button) => button.setAttribute('data-same', ''));
      await expect(it.owner.underWay('copy-disk')).toBeVisible();
      await expect(cancel).toHaveAttribute('data-same');
      await cancel.click();
      await expect(it.owner.underWay('copy-disk')).toHaveCount(0);
    } finally {
      goOn();
    }
    expect((await it.owner.outcome()).word, await it.owner.said()).toBe('Undone');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText('cancelled');
    await expect(it.owner.button('Cancel')).toHaveCount(0);
  } finally {
    await it.giveBack();
  }
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.data, { timeout: 60_000 }).toBe(it.before.data);
});

// The request to shut down can't be called back: the guest goes off though nobody waits for it any more.
test('a restart that its owner cancels while the guest shuts down: taken back, and the VM runs again', async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const { id: vm, owner: email } = lab.vm('shop');
  const owner = await as(email);
  const before = watch(vm);
  const size = await owner.sizeOf(vm);
  expect(await owner.preview(vm, { memory_mib: size.memory_mib - 64 })).toBe('in-place-restart');
  await owner.agree();
  await expect(owner.underWay('shut-down')).toBeVisible();
  await owner.button('Cancel').click();
  expect((await owner.outcome()).word, await owner.said()).toBe('Undone');
  await expect(owner.page.locator('.outcome-reason').first()).toContainText('cancelled');
  await verifyGuest(lab, before, size, true);
  expect(lab.whereabouts(vm)).toEqual([before.node]);
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

test('nodes that die while VMs move to them, live and cold, and another is deployed: each ends with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  // What was made on a dead node is looked for before it is left there.
  test.setTimeout(400_000);
  const { live, cold, giveBack } = await both(admin, as, lab);
  const deployer = await as(lab.vm('catalogue').owner);
  const name = `nowhere-${test.info().retry}`;
  const dead = [live.destination, cold.destination];
  try {
    // So that the node dies in the middle of both.
    standStill(lab, cold.destination);
    await cold.owner.agree();
    await deployer.orderDeploy(name, 'tiny-container');
    await deployer.operationOpened();
    await expect(cold.owner.underWay('copy-disk')).toBeVisible();
    await expect(deployer.underWay('fetch-image')).toBeVisible();
    const quick = slow(live);
    try {
      await live.owner.agree();
      await expect(live.owner.underWay('migrate-live')).toBeVisible();
      for (const node of dead) lab.command('kill', node);
    } finally {
      quick();
    }
    for (const owner of [live.owner, deployer, cold.owner]) {
      expect((await owner.outcome(300)).word, await owner.said()).not.toBe('Succeeded');
      const reason = owner === live.owner ? /hypervisor|node|answer/i : /utility module|hypervisor/;
      await expect(owner.page.locator('.outcome-reason').first()).toContainText(reason);
    }
    for (const it of [live, cold]) expect(lab.virsh(it.source, 'domstate', it.vm)).toBe('running');
    for (const node of dead) {
      await admin.open(`/admin/nodes/${node}`);
      for (const set of ['hypervisor', 'utility']) {
        const shown = admin.page.locator(`[data-set=${set}]`).first();
        await expect(shown, `${node}: ${set}`).toHaveAttribute('data-stale', 'true', { timeout: 60_000 });
      }
    }
  } finally {
    for (const node of dead) lab.command('start', node);
    await giveBack();
  }
  for (const it of [live, cold]) {
    await ready(admin, it.destination);
    await runsWhereItWas(it);
    const kept = it === live ? { boot_id: it.before.boot_id } : {};
    await expect.poll(() => heard(lab, it.vm), { timeout: 60_000 }).toMatchObject({ data: it.before.data, ...kept });
  }
  await removeFailed(deployer, name);
});

test('a libvirtd that hangs while a VM grows in place: it is asked again, and grows once it answers', async ({ as, lab, watch }) => {
  needsRealNodes(lab);
  const { id: vm, owner: email } = lab.vm('mail');
  const owner = await as(email);
  const size = await owner.sizeOf(vm);
  const larger = { ...size, memory_mib: size.memory_mib + 64 };
  const before = watch(vm);
  expect(await owner.preview(vm, larger)).toBe('in-place-live');
  lab.command('hang', before.node);
  try {
    await owner.agree();
    await expect(owner.underWay('reach-nodes')).toContainText('tried again: the hypervisor', { timeout: 40_000 });
  } finally {
    lab.command('unhang', before.node);
  }
  const outcome = await owner.outcome(60);
  expect(outcome.word, await owner.said()).toBe('Succeeded');
  await verifyAfter(lab, before, outcome, larger);
  await owner.resize(vm, size);
});

test('a libvirtd that hangs before a VM moves away from it: undone, with the reason', async ({ admin, as, lab }) => {
  needsRealNodes(lab);
  const it = await scene('shop', admin, as, lab);
  try {
    expect(it.plan).toBe('move-live');
    lab.command('hang', it.source);
    await it.owner.agree();
    const outcome = await it.owner.outcome(90);
    expect(outcome.word, await it.owner.said()).toBe('Undone');
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText('the hypervisor gave no answer in time');
  } finally {
    lab.command('unhang', it.source);
    await it.giveBack();
  }
  await ready(admin, it.source);
  await runsWhereItWas(it);
  await expect.poll(() => heard(lab, it.vm)?.boot_id, { timeout: 30_000 }).toBe(it.before.boot_id);
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
    await expect(it.owner.page.locator('.outcome-reason').first()).toContainText(/hypervisor|node|answer|domain|does not run any more/i);
  } finally {
    await it.giveBack();
  }
  await ready(admin, it.source);
  await runsWhereItWas(it);
  // What its console holds of before is no answer: it was started anew.
  const again = { data: it.before.data, boot_id: expect.not.stringMatching(it.before.boot_id) };
  await expect.poll(() => heard(lab, it.vm), { timeout: 90_000 }).toMatchObject(again);
});

/** What there is no VM of is still listed, as failed, until its owner deletes it. */
async function removeFailed(owner: Panel, name: string): Promise<void> {
  const id = await owner.idOf(name);
  await expect(owner.page.locator('main tr', { hasText: name })).toContainText('Failed');
  await owner.remove(id);
  expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
  await owner.open('/vms');
  await expect(owner.page.locator('main tr', { hasText: name })).toHaveCount(0);
}
