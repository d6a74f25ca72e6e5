// The promises of the seed, held against real nodes before anybody has touched them.

import { growths } from '../story/seeded';
import { expect, needsRealNodes, test } from '../story/test';

for (const { name, plan, ...growth } of growths) {
  test(`as seeded, ${name} grows by ${growth.vcpus} vCPU and ${growth.memory_mib} MiB: ${plan}`, async ({ as, lab }) => {
    needsRealNodes(lab);
    const vm = lab.vm(name);
    const owner = await as(vm.owner);
    const size = await owner.sizeOf(vm.id);
    expect(size).toEqual(vm.size);
    const asked = { ...size, vcpus: size.vcpus + growth.vcpus, memory_mib: size.memory_mib + growth.memory_mib };
    expect(await owner.preview(vm.id, asked), await owner.said()).toBe(plan);
    await expect(owner.button('Resize')).toHaveCount(plan === 'refused' ? 0 : 1);
    if (plan !== 'refused') return;
    await expect(owner.plan).toContainText(/memory: asked 1,536 MiB, the largest that fits is [\d,]+ MiB/);
  });
}
