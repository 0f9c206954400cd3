"""What the image serves: `uvicorn main:app`."""

from backend.app import create_app

app = create_app()
