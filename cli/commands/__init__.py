"""The commands of `drover`, one file each."""
