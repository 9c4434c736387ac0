"""Stable-Baselines3's SAC and PPO with hand-written updates."""
