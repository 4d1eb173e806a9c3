"""What the control plane believes, held against what the nodes really have."""
