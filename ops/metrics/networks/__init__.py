"""What metrics look through: how frames are prepared for each network, and what it makes of them."""
