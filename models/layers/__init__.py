"""What models are built from: neurons, convolutions with BatchNorm, stream indices, and the kernels behind them."""
