"""Sentences of the page of predictions, with names in place of numbers."""

from __future__ import annotations

HEAD = """\
# Predicted against measured

What {{func}}`normtheory.predict` says of real trainings, and what they do. This page is written by
`python -m figures --predicted docs/predicted.md`; all numbers on it are those of the experiment
`predicted`, but for those under "Choices". The figure of that name is in the
[gallery](gallery.md).

**Trained** are free embeddings and encoders, by NT-Xent (SimCLR) and by CLIP's loss: batches of
{pairs} pairs, mean, temperature {temperature}, {dimension} dimensions, five optimizers with weight
decay, {runs} runs.

- *Free*: {items} items, each with an embedding for either view that is a parameter. A step sees
  all items, in batches drawn anew. *Partners stay*: the two embeddings of an item are partners for
  ever. *Partners anew*: in every step the partner of an item is one of the {members} of its class.
- *Encoder*: bias-free networks of three layers, {hidden} wide, on two augmented views of the
  digits; with one tower for SimCLR and two for CLIP, one a view. Followed are the embeddings of
  {probe} other digits, and the weights of every layer as one vector: the loss sees these through
  their direction alone, as it sees free embeddings.

**Told** is `predict` what stands in a configuration: optimizer, rate, weight decay, betas, batch
size, reduction, temperature, dimension. In a step decay takes {share} of a length (with Adam and
L2 that depends on the gradient), and $\\beta_2$ = {beta_2}. A run has {steps} steps; the last
{late} are measured. The others are {memories} memories $1/(1-\\beta_2)$ and {relaxations} times
$1/(2\\eta\\lambda)$.

**A cell** is the measured number and, in brackets, by how many per cent it differs from what
`predict` says, first from these numbers alone, then with the measured size s of the gradient
(`slope`) besides. *none*: there is no theory, or none without s.

- *norm*: root mean square over rows, runs and steps; *turn*: the angle whose cosine is
  $E\\,z\\cdot z'/E\\rho^2$, in radians.
- *steps to equilibrium*: about which the norm differs from its end by 1 %, on the mean over {lag}
  steps; *not reached* where it never does.
- *loss*: by how much it is above its floor at full alignment, above that at the measured
  alignment, and above that of batches drawn from all items (all items in place of the batch in the
  exponent).
- *norm by D and s*: by how much the norm differs from what {{class}}`normtheory.Monitor` draws
  from the pull D along embeddings and the push s across them in single steps.
"""

TEXT = """\
## Free embeddings

- **With s measured, SGD and heavy ball are as said.** Norms differ by {free_norm_balls}, turns in
  a step by {free_turn_balls}. Norms of AdamW differ by {free_norm_adamw}, of Adam with L2 by
  {free_norm_l2}, of Lion by {free_norm_lion}.
- **From the numbers alone, predicted norms that depend on s are too large.** Those measured differ
  by {free_norm_numbers} under SGD, heavy ball and Adam with L2, whose turn is then off as well, by
  {free_turn_l2_numbers}. `predict` supposes that one fresh partner pulls, s = {fresh}; partners
  that are aligned hardly pull, and s is {free_slope}. So these rows now say that s is to be
  measured. AdamW and Lion don't depend on it.
- **Gradients are not quite fresh.** A loss holds directions where it wants them: over {lag} steps
  embeddings turn less than if nothing called them back, which here is a difference of {free_lag}.
  A memory as long as Lion's (100 steps; Adam's is 10) feels that. Steps undo each other, so norms
  are smaller, and turns in a step, all steps having one length, larger, by {free_turn_lion}. AdamW
  feels it where partners are drawn anew.
- **Steps to equilibrium** differ by {free_steps_stay} under SGD and heavy ball where partners
  stay, but by {free_steps} over all: `predict` takes s, and that gradients are fresh, to be on the
  way what they are in the end.
- **The loss** ends {loss_stay} above its floor where partners stay. Nearly all of that is because
  batches are drawn from more pairs: it is {loss_drawn} above the floor of such batches. Where
  partners are drawn anew it stays {loss_anew} above: members of a class are partners and negatives
  at once, and the floor is of pairs that can be told apart.

## Encoders

- **Weights obey the theory**, layer by layer: under SGD exactly, under the others, which remember,
  less so, since gradients of a layer aren't fresh either: where steps undo each other norms are
  smaller and turns larger, and where they add up the reverse. Norms differ by {weights_norm_sgd}
  under SGD, {weights_norm_ball} under heavy ball, {weights_norm_adamw} under AdamW and
  {weights_norm_lion} under Lion, for both of which s isn't needed; turns in a step of SGD and
  heavy ball, which follow from the decay alone, by {weights_turn_balls}. Norms under Adam with L2
  differ by {weights_norm_l2}: the closed form asks for gradients alike in all components, which
  those of a layer aren't, and decay takes more where they are small. Steps to equilibrium are a
  guess (by {weights_steps} under SGD and heavy ball): s of a new network isn't that of a trained
  one.
- **Embeddings do not.** With s measured their norms differ by {encoder_norm} from those of free
  embeddings, from the numbers alone by {encoder_norm_numbers}; in a step they turn {encoder_turn}
  times as far. An embedding moves with weights that move all embeddings together, and not across
  itself. What is predicted for them is not even a guide here.
- **Their norm is not held by decay.** Under SGD the pull D inwards does {encoder_pull} of what
  shortens embeddings, decay the rest. So the norm has no balance of its own: it follows from the
  layers and how they fit together, and wanders with them. Two runs differ by {apart_encoder}; for
  free embeddings by {apart_free}.
- **D and s of single steps**, as the monitor measures them, lead to the norm of free embeddings
  within {free_motion}. In these encoders they lead too high: the norm differs by {encoder_motion}.
  A step moves embeddings together, and with momentum much further than they shrink in it, so D
  swings from step to step by more than its mean, and ten steps don't settle it. In `radial_drift`,
  where steps are smaller and a look has 32 batches, they do.
- **The loss** is {loss_encoder} above its floor, likely since digits of a class look alike, and at
  this share of decay, which is never annealed, weights keep turning.

## Choices

- Made before anything was seen: losses, optimizers, the encoder's size, temperature, what is
  measured.
- Then fewer items than dimensions, of which 128 were tried first, so that a simplex of them has
  room.
- Made while sizes were tried, with results in view: the share of decay and $\\beta_2$, so that
  norms settle within a run of minutes and $\\eta\\lambda$ stays far below $1-\\beta_2$; the decay
  of Adam with L2, from the measured s, so that it does so too; rates for encoders at which layers
  settle near the norms that they start with; the start of free norms, 1.5 times what is predicted
  from the numbers alone.
- Hidden units are leaky (slope 0.1). With plain ReLUs an embedding became 0 in all three settings
  that were tried, all units being off for a view; and under Lion units that had no gradient any
  more went on in the direction of its last sign, to norms of layers 3 to 5 times what is
  predicted.
- A first way to count steps to equilibrium, the first within 1 %, counted passages on the way; the
  mean over a lag took its place. A share of D was first given for all optimizers; with momentum D
  has in it what earlier gradients still bring, outwards, and it says nothing, so that it is given
  for SGD.
"""
