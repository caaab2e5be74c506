/** Adam and AdamW as text; see ../../rules/adam.ts. */
const head = `
betas = (b1 = 0.9, b2 = 0.999) in [0, 1)
eps = 1e-8 in [0, inf)`;

const moments = `
m = lerp(m, g, 1 - b1)
v = emaSq(v, g, b2)
if amsgrad: vmax = max(vmax, v)
d = sqrt(vmax if amsgrad else v) * (1 / sqrt(1 - b2^t)) + eps
p = p - lr / (1 - b1^t) * (m / d)`;

const state = "state m as exp_avg, v as exp_avg_sq, vmax as max_exp_avg_sq";

export const Adam = `rule Adam
lr = 1e-3 in [0, inf)${head}
weightDecay = 0 in [0, inf)
amsgrad = false
maximize = false
decoupledWeightDecay = false
${state}

if maximize: g = -g
if weightDecay != 0:
  if decoupledWeightDecay: p = (1 - lr * weightDecay) * p
  else: g = g + weightDecay * p${moments}`;

export const AdamW = `rule AdamW
lr = 1e-3 in [0, inf)${head}
weightDecay = 1e-2 in [0, inf)
amsgrad = false
maximize = false
${state}

if maximize: g = -g
if weightDecay != 0: p = (1 - lr * weightDecay) * p${moments}`;
