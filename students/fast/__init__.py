"""Stable-Baselines3's SAC and PPO with their updates written out by hand."""
