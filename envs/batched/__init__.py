"""The walker worlds, many of them stepped by one compiled call, bit for bit as Box2D steps them."""
