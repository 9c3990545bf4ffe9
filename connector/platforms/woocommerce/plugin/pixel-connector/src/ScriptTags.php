<?php
/**
 * The scripts that the connector has registered for the storefront.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * A small list of scripts with ids that are never used twice: a new list begins with the time, later than any it might follow.
 */
final class ScriptTags {

	public const OPTION = 'pixel_connector_script_tags';
	private const MOST  = 20;

	/**
	 * All entries: id, src, event.
	 */
	public function all(): array {
		$stored = get_option( self::OPTION, array() );
		$tags   = is_array( $stored ) ? ( $stored['tags'] ?? array() ) : array();
		return is_array( $tags ) ? array_values( $tags ) : array();
	}

	/**
	 * The entry of an address, or null.
	 *
	 * @param string $src Address of the script.
	 */
	public function find( string $src ): ?array {
		foreach ( $this->all() as $tag ) {
			if ( $tag['src'] === $src ) {
				return $tag;
			}
		}
		return null;
	}

	/**
	 * Whether the list is full.
	 */
	public function is_full(): bool {
		return count( $this->all() ) >= self::MOST;
	}

	/**
	 * Adds an entry.
	 *
	 * @param string $src Address of the script.
	 */
	public function add( string $src ): array {
		$stored = get_option( self::OPTION, array() );
		$next   = is_array( $stored ) && isset( $stored['next'] ) ? (int) $stored['next'] : time();
		$tag    = array(
			'id'    => $next,
			'src'   => $src,
			'event' => 'onload',
		);
		$this->store( array_merge( $this->all(), array( $tag ) ), $next + 1 );
		return $tag;
	}

	/**
	 * Removes an entry and returns it; null when there was none.
	 *
	 * @param int $id Its id.
	 */
	public function remove( int $id ): ?array {
		$removed = null;
		$kept    = array();
		foreach ( $this->all() as $tag ) {
			if ( $tag['id'] === $id ) {
				$removed = $tag;
			} else {
				$kept[] = $tag;
			}
		}
		if ( null !== $removed ) {
			$stored = get_option( self::OPTION, array() );
			$this->store( $kept, (int) $stored['next'] );
		}
		return $removed;
	}

	/**
	 * Forgets the list.
	 */
	public function forget(): void {
		delete_option( self::OPTION );
	}

	/**
	 * Writes the list.
	 *
	 * @param array $tags Entries.
	 * @param int   $next Next id.
	 */
	private function store( array $tags, int $next ): void {
		update_option(
			self::OPTION,
			array(
				'tags' => $tags,
				'next' => $next,
			),
			true
		);
	}
}
