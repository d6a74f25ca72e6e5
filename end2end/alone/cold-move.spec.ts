import { configured, heard, heartbeat } from '../story/guest';
import { fillVcpus, leaveMemory } from '../story/room';
import { expect, needsRealNodes, test } from '../story/test';

test('a running machine moves cold, with its data, where the other node has no room for its old size', async ({
  admin,
  as,
  lab,
}) => {
  needsRealNodes(lab);
  const render = lab.vm('render');
  const owner = await as(render.owner);
  const size = await owner.sizeOf(render.id);
  await owner.resize(render.id, { ...size, memory_mib: size.memory_mib + 192 });
  await expect.poll(() => heard(lab, render.id)?.memory_mib, { timeout: 60_000 }).toBe(size.memory_mib + 192);
  const before = heartbeat(lab, render.id);
  const source = lab.home(render.id);
  const other = lab.others(source)[0]?.name ?? '';
  const giveBack = [await fillVcpus(admin, source)];
  // What QEMU itself takes is counted too: 64 MiB and one part in 64.
  const takes = (mib: number) => mib + 64 + mib / 64;
  giveBack.push(await leaveMemory(admin, other, (takes(size.memory_mib) + takes(size.memory_mib + 192)) / 2));
  const ping = lab.ping(before.address);
  try {
    const changed = { ...size, vcpus: size.vcpus + 1 };
    expect(await owner.preview(render.id, changed)).toBe('move-cold');
    await expect(owner.plan).toContainText(/restart|shut|off/i);
    await owner.agree();
    const outcome = await owner.outcome(180);
    expect(outcome.word, await owner.said()).toBe('Succeeded');

    expect(lab.whereabouts(render.id)).toEqual([other]);
    expect(lab.virsh(other, 'domstate', render.id)).toBe('running');
    expect(lab.poolFiles(source).filter((file) => file.includes(render.id))).toEqual([]);
    const held = { vcpus: changed.vcpus, memory_mib: changed.memory_mib };
    expect(configured(lab, other, render.id, 'live')).toEqual(held);
    expect(configured(lab, other, render.id, 'inactive')).toEqual(held);
    const kept = { data: before.data, mac: before.mac, address: before.address };
    await expect.poll(() => heard(lab, render.id), { timeout: 60_000 }).toMatchObject({ ...held, ...kept });
    expect(heartbeat(lab, render.id).boot_id).not.toBe(before.boot_id);
    const { longestGapMs, output } = await ping.stop();
    expect(Math.abs(longestGapMs - (outcome.downtimeMs ?? Number.NaN)), output).toBeLessThan(3_000);
  } finally {
    await ping.stop();
    for (const undo of giveBack) await undo();
  }
  await owner.resize(render.id, size);
});
