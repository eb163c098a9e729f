"""Names of what a study and its trials keep beside Optuna's own fields, each once."""

# Of a trial: the step of its sampler that it is, and the layer in question; what was measured, and how.
PHASE = "phase"
LAYER = "layer"
# Its ratios above 0 by layer, where its parameters say something else.
RATIOS = "ratios"
KEY = "key"
EVALUATION = "evaluation"
REUSED = "reused"
DECIDED_EARLY = "decided_early"
DIVERGENCE = "divergence"
# Of a trial whose draws missed the limit of memory: how many were thrown away before any image was asked.
REDRAWN = "redrawn"

# Of a trial: seconds that its sampler took to propose the plan.
SAMPLING = "sampler_seconds"
# Of a trial: which plan of its study's start it is. Of a study: those plans, a list of ratios by layer.
START = "start"

# Of a study: the unpruned model on its images; whether it tells each of them, in their order: bits, in base64.
BASELINE = "baseline"
BASELINE_KEY = "baseline_key"
BASELINE_RIGHT = "baseline_right"
