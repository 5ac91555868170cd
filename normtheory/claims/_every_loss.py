"""What the checks that run over every loss of the library share."""

#: Why their error is measured in units of a loss's steepness.
STEEP = (
    "rounding of a few operations; the gradient of a loss of steepness k (1/τ, a scale) is of the "
    "order of k/ρ, and so is its error"
)
