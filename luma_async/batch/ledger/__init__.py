"""The record of every order and payment of a batch."""
