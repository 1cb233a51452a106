"""From a Python function to the IR: its source, the fence, jumps taken out, and the lowering."""
